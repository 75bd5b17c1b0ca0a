"""HTTP/1.1 over AF_UNIX, blocking: the agent's socket."""

import http.client
import socket


class UnixConnection(http.client.HTTPConnection):
    """A connection to the socket at `path`; `timeout` in seconds."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("stoker", timeout=timeout)
        self._unix_path = path

    def connect(self) -> None:
        """Open the socket in the place of a TCP connection."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._unix_path)
