"""What each host is told of the others of its inventory. Pure.

A balancer and whoever watches get `peers`; the hosts that they reach let them in. The result stands
in the spec itself, so that a node converges to its release without any inventory, and `--limit`
changes nothing of it.
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from agent.balancer_spec import BalancerSpec
from agent.peers import Peer, PeerEngine
from agent.spec import EngineSpec, HostSpec
from fleet import certificates
from fleet.balancer_backends import OWN

LOOPBACK = ("127.", "localhost", "::1")
Specs = Mapping[str, HostSpec]


def address(spec: HostSpec, reached_at: str | None) -> str:
    """Return where others reach a host; `reached_at` = where SSH does, if not at its name."""
    return spec.base.address or reached_at or spec.name


def resolved(specs: Specs, addresses: Mapping[str, str]) -> dict[str, HostSpec]:
    """Return the specs, each with what its host must know of the others."""
    peers = tuple(_peer(spec, addresses[name]) for name, spec in specs.items())
    return {name: _told(spec, peers) for name, spec in specs.items()}


def faults(specs: Specs, addresses: Mapping[str, str]) -> Iterator[str]:
    """Yield one sentence for each host that those with a role could not reach, or could not name.

    `specs` are as the operator wrote them, before anything was put in.
    """
    for name, spec in specs.items():
        readers = [other for other, its in specs.items() if _reads(its, other, spec, name)]
        if readers and spec.agent.listen.startswith(LOOPBACK):
            yield (
                f"{name}: agent_listen = {spec.agent.listen!r}: {readers[0]} asks the agents of "
                'other hosts; set it to "0.0.0.0", or to an address of the host'
            )
        if spec.balancer.enabled:
            yield from (f"{name}: {fault}" for fault in _of_certificates(specs, spec))
        if not certificates.address(addresses[name]):
            others = {other: its for other, its in specs.items() if other != name}
            yield from (f"{name}: {fault}" for fault in _by_name(spec, addresses[name], others))


def _by_name(spec: HostSpec, where: str, others: Specs) -> Iterator[str]:
    """Yield why a host must be known by an IP address; `where` is its name."""
    walls = [name for name, its in others.items() if its.firewall.enabled]
    if spec.balancer.enabled and others:
        why = f"{next(iter(others))} and others let this host in, and believe it, by"
    elif spec.roles and walls:
        why = f"the firewall of {walls[0]} and others lets this host in by"
    else:
        return
    said = f" = {where!r}: is" if spec.base.address else f": is missing, and {where!r} is"
    yield f"base_address{said} a name; set it to the host's IP address: {why} that"


def _of_certificates(specs: Specs, balancer: HostSpec) -> Iterator[str]:
    """Yield what keeps a balancer from knowing whom it talks to."""
    if balancer.balancer.peers is not None:
        return
    serving = [spec for spec in specs.values() if spec.engines]
    if not serving:
        yield "balancer_enabled: no host of the inventory has an engine, and balancer_peers is None"
    for spec in serving:
        if not _peer(spec, "").server_name:
            yield (
                f"balancer_enabled: the certificate of {spec.name} is checked by a name, and "
                f"gateway_server_name = {spec.gateway.server_name!r} there tells none; give one"
            )


def _reads(reader: HostSpec, its_name: str, spec: HostSpec, name: str) -> bool:
    """Say whether `reader` asks the agent of `spec`; its own it reaches on any address."""
    if its_name == name:
        return False
    if reader.balancer.enabled and reader.balancer.peers is None and spec.engines:
        return True
    return reader.monitoring.enabled and reader.monitoring.peers is None


def _told(spec: HostSpec, peers: tuple[Peer, ...]) -> HostSpec:
    balancer, monitoring = spec.balancer, spec.monitoring
    if balancer.enabled:
        balancer = _of_balancer(balancer, spec.name, peers)
    if monitoring.enabled and monitoring.peers is None:
        monitoring = replace(monitoring, peers=peers)
    others = [peer for peer in peers if peer.name != spec.name]
    balancers = [peer for peer in peers if spec.engines and "balancer" in peer.roles]
    readers = [peer for peer in balancers if peer in others]
    watchers = [peer for peer in others if "monitoring" in peer.roles]
    believed = _with(spec.gateway.balancers, balancers)
    if spec.engines and spec.balancer.enabled:
        believed = tuple(dict.fromkeys([*believed, OWN]))
    return replace(
        spec,
        balancer=balancer,
        monitoring=monitoring,
        firewall=replace(
            spec.firewall, read_from=_with(spec.firewall.read_from, [*readers, *watchers])
        ),
        gateway=replace(spec.gateway, balancers=believed),
    )


def _of_balancer(spec: BalancerSpec, name: str, peers: tuple[Peer, ...]) -> BalancerSpec:
    """Fill in what was not given: whom it sends to, and who shares its address with it."""
    balancers = [peer for peer in peers if "balancer" in peer.roles]
    if spec.peers is None:
        spec = replace(spec, peers=tuple(peer for peer in peers if peer.engines))
    if spec.partners is None and spec.vip is not None:
        spec = replace(spec, partners=_with((), [one for one in balancers if one.name != name]))
    if spec.vip_rank is None and spec.vip is not None:
        spec = replace(spec, vip_rank=[peer.name for peer in balancers].index(name))
    return spec


def _with(networks: tuple[str, ...], peers: list[Peer]) -> tuple[str, ...]:
    known = (peer.address for peer in peers if certificates.address(peer.address))
    return tuple(dict.fromkeys([*networks, *known]))


def _peer(spec: HostSpec, where: str) -> Peer:
    names = [*certificates.names(spec.gateway.server_name)]
    names += [spec.name] if spec.gateway.tls == "local-ca" else []
    named = (one for one in names if "*" not in one and not certificates.address(one))
    return Peer(
        name=spec.name,
        address=where,
        server_name=next(named, ""),
        tls=spec.gateway.tls,
        read_port=spec.agent.port,
        check_port=spec.agent.check_port,
        reads=not spec.agent.listen.startswith(LOOPBACK),
        roles=spec.roles,
        metrics_port=spec.balancer.metrics_port if spec.balancer.enabled else None,
        engines={name: _engine(engine) for name, engine in spec.engines.items()},
    )


def _engine(engine: EngineSpec) -> PeerEngine:
    return PeerEngine(
        kind=engine.kind,
        model=engine.model,
        models=(engine.name_served, *engine.lora_adapters),
        gpus=engine.gpus,
        most=engine.max_concurrent_requests,
    )
