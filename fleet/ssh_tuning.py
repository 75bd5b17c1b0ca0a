"""Makes paramiko send each command at once, notice a lost peer, and keep its traces to itself.

paramiko 4 leaves Nagle's algorithm on, so each command waits for a delayed ACK: 47 ms, against
5 ms with TCP_NODELAY (measured). And it waits for a command's output for ever: of a host that lost
its power, or the network, TCP tells after a quarter of an hour, or never while nothing is sent
(tcp(7), TCP_USER_TIMEOUT). `tests/fleet/test_ssh_tuning.py` fails when paramiko changes.
"""

import contextlib
import logging
import socket
from typing import Any

from paramiko import transport

_original = transport.Transport.__init__
KEEPALIVE = 30  # seconds of silence after which something is sent
LOST = 60  # seconds without an acknowledgement after which a connection is broken


def no_delay() -> None:
    """Set all this for every SSH connection that is opened from now on; harmless twice."""
    transport.Transport.__init__ = _init  # type: ignore[method-assign]


def quiet() -> None:
    """Drop paramiko's log: it prints stack traces of what pyinfra reports in a sentence."""
    logging.getLogger("paramiko").addHandler(logging.NullHandler())


def _init(self: transport.Transport, sock: Any, *args: Any, **kwargs: Any) -> None:
    # The pipe of a ProxyCommand has no such option.
    with contextlib.suppress(AttributeError, OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Not on every system that deploys: macOS has another name for it.
    with contextlib.suppress(AttributeError, OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST * 1000)
    _original(self, sock, *args, **kwargs)
    self.set_keepalive(KEEPALIVE)
