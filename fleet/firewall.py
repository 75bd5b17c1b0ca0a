"""The host's firewall: which rules it gets, what is in their way, what they close. Pure.

The rules are one table of our own, `inet stoker`; tables of others are neither read nor changed. A
packet must pass them all, so others can still close what is open here, and open nothing.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from agent import networks
from agent.runner import network
from agent.spec import HostSpec
from fleet import balancer
from fleet.facts.bare import Bare
from fleet.render import render

PATH = "/etc/stoker/firewall.nft"
UNIT = "/etc/systemd/system/stoker-firewall.service"
ANYWHERE = ("0.0.0.0/0", "::/0")
SSH = 22  # where neither a connection nor a listener tells another
VRRP = "112"  # keepalived's
GATEWAY = (80, 443)  # 80 leads to 443, and answers an ACME server
# Docker's own, what `docker network create` makes, and that of the engines.
BRIDGES = ("docker0", "docker_gwbridge", "br-*", network.BRIDGE)
# How to open a port in each; they say themselves what is open there now.
ELSEWHERE = {"ufw": "ufw allow", "firewalld": "firewall-cmd --permanent --add-port"}


class Opening(Struct, frozen=True, kw_only=True):
    """Ports that some networks may reach; without ports, all of a protocol."""

    what: str
    protocol: str
    ports: tuple[int, ...]
    sources: tuple[str, ...]

    @property
    def names(self) -> Iterator[str]:
        """Yield each port as the firewall's settings write it."""
        return (f"{port}/{self.protocol}" for port in self.ports)

    @property
    def matches(self) -> Iterator[str]:
        """Yield what nftables compares a packet's sender with, for each family of addresses."""
        found = networks.networks(self.sources)
        for family, name in ((4, "ip"), (6, "ip6")):
            ours = [str(network) for network in found if network.version == family]
            if ours in (["0.0.0.0/0"], ["::/0"]):
                yield f"meta nfproto ipv{family}"
            elif ours:
                yield f"{name} saddr {{ {', '.join(map(_short, ours))} }}"

    @property
    def packets(self) -> str:
        """Return what nftables compares a packet itself with."""
        if not self.ports:
            return f"meta l4proto {self.protocol}"
        return f"{self.protocol} dport {self.numbers}"

    @property
    def numbers(self) -> str:
        """Return the ports as a set of nftables."""
        return f"{{ {', '.join(map(str, self.ports))} }}"


def openings(spec: HostSpec, ssh_ports: Iterable[int]) -> list[Opening]:
    """Return what is let in, for a host whose sshd listens on `ssh_ports`."""
    firewall, agent = spec.firewall, spec.agent
    ssh = tuple(sorted(ssh_ports)) or (SSH,)
    found = [
        Opening(what="SSH", protocol="tcp", ports=ssh, sources=firewall.ssh_from),
    ]
    if spec.engines:
        gateway = Opening(what="the gateway", protocol="tcp", ports=GATEWAY, sources=ANYWHERE)
        found.append(gateway)
    found += _of_balancer(spec)
    if firewall.read_from:
        ports = (agent.port, agent.check_port)
        sources = firewall.read_from
        found.append(Opening(what="the agent", protocol="tcp", ports=ports, sources=sources))
    if spec.monitoring.enabled and spec.monitoring.read_from:
        ports = (spec.monitoring.port, spec.monitoring.alertmanager_port)
        sources = spec.monitoring.read_from
        found.append(Opening(what="the monitoring", protocol="tcp", ports=ports, sources=sources))
    return [*found, *_allowed(spec)]


def rules(spec: HostSpec, ssh_ports: Iterable[int]) -> str:
    """Return the file that `nft -f` loads."""
    return render(
        "firewall.nft",
        openings=openings(spec, ssh_ports),
        published=_allowed(spec),
        bridges=BRIDGES,
    )


def problems(spec: HostSpec, found: Bare) -> Iterator[str]:
    """Yield one sentence for each thing that is in the way of these rules."""
    if not spec.firewall.enabled:
        return
    for wall in found.doors.walls:
        ports = ", ".join(name for one in openings(spec, found.doors.ssh) for name in one.names)
        yield (
            f"has {wall} active, and a packet would have to pass both walls: either set "
            f"firewall_enabled = False and open {ports} there ({ELSEWHERE[wall]} …), or switch "
            f"{wall} off"
        )
    client = found.doors.client
    if client and not networks.among(client, spec.firewall.ssh_from):
        yield (
            f"sees this connection come from {client}, which firewall_ssh_from = "
            f"{', '.join(spec.firewall.ssh_from)} would lock out: add it"
        )


def closes(spec: HostSpec, found: Bare) -> str:
    """Name the ports that are open now and that the rules let nobody reach; empty = none."""
    kept = {name for one in openings(spec, found.doors.ssh) for name in one.names}
    kept |= {f"{port}/tcp" for port in (spec.agent.port, spec.agent.check_port)}
    kept |= {"68/udp", "546/udp"}  # the clients of DHCP
    closed = {one.port: one.program for one in found.doors.open if one.port not in kept}
    return ", ".join(f"{port} ({closed[port] or '?'})" for port in sorted(closed, key=_number))


def warnings(spec: HostSpec, found: Bare) -> Iterator[str]:
    """Say which services of others nobody reaches behind these rules."""
    if spec.firewall.enabled and (closed := closes(spec, found)):
        yield f"the firewall lets nobody reach {closed}; firewall_allow opens a port"


def _of_balancer(spec: HostSpec) -> Iterator[Opening]:
    own, read_from = spec.balancer, spec.firewall.read_from
    if not own.enabled:
        return
    ports = (80, own.port) if balancer.redirects(spec) else (own.port,)
    yield Opening(what="the balancer", protocol="tcp", ports=ports, sources=ANYWHERE)
    if read_from:
        metrics = (own.metrics_port,)
        yield Opening(what="its metrics", protocol="tcp", ports=metrics, sources=read_from)
    if own.partners:
        yield Opening(what="its partners", protocol=VRRP, ports=(), sources=own.partners)


def _allowed(spec: HostSpec) -> list[Opening]:
    found = []
    for key, sources in sorted(spec.firewall.allow.items()):
        if parsed := networks.port(key):
            port, protocol = parsed
            opening = Opening(what=key, protocol=protocol, ports=(port,), sources=sources)
            found.append(opening)
    return found


def _short(network: str) -> str:
    """Write a single address without its length, as nftables lists it."""
    return network.removesuffix("/128" if ":" in network else "/32")


def _number(port: str) -> int:
    return int(port.partition("/")[0])
