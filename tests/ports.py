"""Ports for servers of tests, of which no two get the same."""

import random
import socket

# From 32768 on the kernel takes ports for connections: one of these could have a port before its
# server binds it.
_RANGE = range(20000, 32000)
# Names of Linux's abstract sockets: one process holds a name, and gives it back when it ends.
_claims: dict[int, socket.socket] = {}


def free_port() -> int:
    """Return a port that nobody listens at and that no other process of tests is given."""
    for port in random.sample(_RANGE, len(_RANGE)):
        if port not in _claims and _claimed(port) and _unbound(port):
            return port
    raise OSError(f"no port between {_RANGE.start} and {_RANGE.stop} is free")


def _claimed(port: int) -> bool:
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0stoker-tests-port-{port}")
    except OSError:
        claim.close()
        return False
    _claims[port] = claim
    return True


def _unbound(port: int) -> bool:
    """Say whether a server can have it; as servers do, over connections that have just ended."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
