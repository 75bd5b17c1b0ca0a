"""Addresses, networks and ports of the firewall's settings: what is wrong with them. Pure."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # spec reads its rules, which read this
    from agent.spec import FirewallSpec, HostSpec

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp))?")


def port(key: str) -> tuple[int, str] | None:
    """Return port and protocol of "9100" or "51820/udp"; None when it is neither."""
    found = PORT.fullmatch(key)
    if found is None or not 1 <= int(found[1]) <= 65535:
        return None
    return int(found[1]), found[2] or "tcp"


def networks(texts: Iterable[str]) -> list[Network]:
    """Return the networks, none within another, IPv4 first; raise `ValueError`."""
    made = [ipaddress.ip_network(text) for text in texts]
    four = [one for one in made if isinstance(one, ipaddress.IPv4Network)]
    six = [one for one in made if isinstance(one, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


def among(address: str, texts: Iterable[str]) -> bool:
    """Say whether an address is in one of the networks; an IPv4 address in IPv6 form is IPv4."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in network for network in networks(texts))


def faults(spec: "HostSpec") -> Iterator[str]:
    """Yield one sentence for each fault of the firewall's settings."""
    firewall: FirewallSpec = spec.firewall
    if not firewall.ssh_from:
        yield (
            "firewall_ssh_from: is empty, and nobody could log in any more; name the networks "
            "that you come from, or set firewall_enabled = False"
        )
    yield from _wrong("firewall_ssh_from", firewall.ssh_from)
    yield from _wrong("firewall_read_from", firewall.read_from)
    yield from _wrong("gateway_balancers", spec.gateway.balancers)
    yield from _wrong("monitoring_read_from", spec.monitoring.read_from)
    engines = {engine.port: name for name, engine in spec.engines.items()}
    yield from _allow(firewall.allow, engines)


def _allow(allow: Mapping[str, tuple[str, ...]], engines: Mapping[int, str]) -> Iterator[str]:
    for key, sources in allow.items():
        where = f"firewall_allow[{key!r}]"
        found = port(key)
        if found is None:
            yield f"{where}: is no port; write '9100' or '51820/udp', from 1 to 65535"
        elif found[1] == "tcp" and found[0] in engines:
            yield (
                f"{where}: is the port of engine {engines[found[0]]}, which asks for no key; "
                "clients go through the gateway, port 443"
            )
        if not sources:
            yield f"{where}: names nobody; give networks, such as '10.0.0.0/8', or remove it"
        yield from _wrong(where, sources)


def _wrong(where: str, texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            yield f"{where}: {text!r} {_why(text)}"


def _why(text: str) -> str:
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "is no address and no network; write '10.0.0.0/8' or '2001:db8::/32'"
    address = text.partition("/")[0]
    return f"is an address within a network; write {str(meant)!r}, or {address!r} for it alone"
