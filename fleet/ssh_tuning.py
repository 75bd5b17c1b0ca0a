"""Makes paramiko send each command at once.

paramiko 4 leaves Nagle's algorithm on, so each command waits for a delayed ACK: 47 ms, against
5 ms with TCP_NODELAY (measured). `tests/fleet/test_ssh_tuning.py` fails when paramiko changes.
"""

import socket
from typing import Any

from paramiko import transport

_original = transport.Transport.__init__


def no_delay() -> None:
    """Set TCP_NODELAY on every SSH connection that is opened from now on; harmless twice."""
    transport.Transport.__init__ = _init  # type: ignore[method-assign]


def _init(self: transport.Transport, sock: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (AttributeError, OSError):
        pass  # the pipe of a ProxyCommand has no such option
    _original(self, sock, *args, **kwargs)
