"""Which hosts a balancer sends a model's requests to, as HAProxy's backends and servers. Pure."""

import re
import zlib
from collections.abc import Iterable

from msgspec import Struct

from agent.monitoring_spec import bracketed
from agent.peers import Peer, PeerEngine
from fleet import certificates

OWN = "127.0.0.1"  # where a balancer reaches the gateway and the agent of its own host
SERVERS = 30000  # numbers that a server may have
SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
_STRANGE = re.compile(r"[^A-Za-z0-9_.-]+")
Member = tuple[str, str]  # peer, pool


class Server(Struct, frozen=True, kw_only=True):
    """A host in a backend. `number` tells it from others when a header's value is hashed.

    `agent`: where its agent is asked; empty = where its name leads, as with itself. HAProxy takes
    no name there that does not resolve. `asks`: what for. `most`: requests at once; 0 = no bound.
    """

    name: str
    number: int
    address: str
    agent: str
    agent_port: int
    server_name: str
    ca: str
    asks: str
    most: int


class Backend(Struct, frozen=True, kw_only=True):
    """The hosts that serve the same models."""

    name: str
    models: tuple[str, ...]
    servers: tuple[Server, ...]


def backends(peers: Iterable[Peer], own: str, nodes_ca: str, *, given: bool) -> tuple[Backend, ...]:
    """Return a backend for each set of hosts that serves something; `own` = this host's name.

    `nodes_ca`: where certificates lie that sign the gateways' own; with `given` those of all.
    """
    known = {peer.name: peer for peer in peers}
    members: dict[str, list[Member]] = {}
    for peer in known.values():
        for pool, engines in peer.pools.items():
            for model in engines[0].models:
                members.setdefault(model, []).append((peer.name, pool))
    models: dict[tuple[Member, ...], list[str]] = {}
    for model, some in members.items():
        models.setdefault(tuple(some), []).append(model)
    made: list[Backend] = []
    for number, (among, names) in enumerate(models.items()):
        pairs = [(known[peer], pool) for peer, pool in among]
        numbers = _numbers([peer.name for peer, _ in pairs])
        servers = tuple(
            _server(peer, peer.pools[pool], numbers[peer.name], own, nodes_ca, given=given)
            for peer, pool in pairs
        )
        name = _slug(names[0], number, [one.name for one in made])
        made.append(Backend(name=name, models=tuple(names), servers=servers))
    return tuple(made)


def everybody(peers: Iterable[Peer], own: str, nodes_ca: str, *, given: bool) -> Backend:
    """Return a backend of all hosts, whatever they serve; nobody is asked for its agent's word."""
    known = list(peers)
    numbers = _numbers([peer.name for peer in known])
    servers = tuple(
        _server(peer, (), numbers[peer.name], own, nodes_ca, given=given) for peer in known
    )
    return Backend(name="all-hosts", models=(), servers=servers)


def _server(
    peer: Peer,
    engines: tuple[PeerEngine, ...],
    number: int,
    own: str,
    nodes_ca: str,
    *,
    given: bool,
) -> Server:
    where = OWN if peer.name == own else peer.address
    return Server(
        name=_STRANGE.sub("_", peer.name),
        number=number,
        address=f"{bracketed(where)}:{peer.port}",
        agent=where if certificates.address(where) else "",
        agent_port=peer.check_port,
        server_name=peer.server_name,
        ca=nodes_ca if given or peer.tls == "local-ca" else SYSTEM_CA,
        asks=f"model={engines[0].name_served}" if engines else "",
        most=sum(engine.most for engine in engines),
    )


def _numbers(names: list[str]) -> dict[str, int]:
    """Number hosts by their names, so that another host moves no request to a third one."""
    found: dict[str, int] = {}
    for name in sorted(names):
        number = zlib.crc32(name.encode()) % SERVERS + 1
        while number in found.values():
            number = number % SERVERS + 1
        found[name] = number
    return found


def _slug(model: str, number: int, taken: list[str]) -> str:
    """Return how HAProxy and its metrics call a backend."""
    name = _STRANGE.sub("_", model)
    return f"{name}-{number}" if name in {*taken, *RESERVED} else name


RESERVED = ("all-hosts", "clients", "plain", "metrics")
