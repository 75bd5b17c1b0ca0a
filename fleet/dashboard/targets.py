"""Which nodes the dashboard shows, and where each of them is asked. Pure."""

import ipaddress

from msgspec import Struct


class Target(Struct, frozen=True, kw_only=True):
    """One node. `url` of its agent's reads; without one, `problem` says why it cannot be asked."""

    name: str
    url: str = ""
    problem: str = ""


class Fleet(Struct, frozen=True, kw_only=True):
    """What the dashboard is started with."""

    inventory: str
    targets: tuple[Target, ...]


def target(name: str, address: str, listen: str, port: int) -> Target:
    """Return where the agent of a host is asked.

    `address` is how the inventory reaches the host, `listen` where its agent listens.
    """
    if name == "@local":
        address = "127.0.0.1"
    if loopback(listen) and not loopback(address):
        return Target(
            name=name,
            problem=f"its agent listens on {listen} alone: set agent_listen to an address that "
            "this machine reaches, name this machine in firewall_read_from, and deploy",
        )
    asked = address if _any(listen) or loopback(listen) else listen
    host = f"[{asked}]" if ":" in asked else asked
    return Target(name=name, url=f"http://{host}:{port}")


def loopback(text: str) -> bool:
    """Tell whether an address, or localhost, is this very machine alone."""
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return text == "localhost"


def _any(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_unspecified
    except ValueError:
        return False
