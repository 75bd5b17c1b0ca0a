"""HTTP/1.1 over AF_UNIX, blocking: the agent's socket."""

import http.client
import json
import socket
from typing import TypeVar

import msgspec

from agent.errors import GARBLED, StokerError

R = TypeVar("R", bound=msgspec.Struct)


class UnreachableError(StokerError):
    """The agent did not answer; it may be stopped, or the caller may not open its socket."""


class RefusedError(StokerError):
    """The agent answered that it will not."""


class NotNowError(RefusedError):
    """The agent answered that it will not as things are (HTTP 409)."""


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


def call(
    socket_path: str, timeout: float, method: str, path: str, body: str | None = None
) -> bytes:
    """Ask the agent, and return its answer; raise `UnreachableError` or `RefusedError`."""
    connection = UnixConnection(socket_path, timeout)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        content = answer.read()
    except PermissionError:
        raise UnreachableError(f"{socket_path}: not permitted; try with sudo") from None
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(
            f"the agent does not answer on {socket_path} ({error}); "
            "see: systemctl status stoker-agent"
        ) from error
    finally:
        connection.close()
    if answer.status >= 400:
        raise (NotNowError if answer.status == 409 else RefusedError)(_error(content))
    return content


def decode(content: bytes, kind: type[R]) -> R:
    """Read an answer; raise `UnreachableError` for one of another version."""
    try:
        return msgspec.json.decode(content, type=kind)
    except GARBLED as error:
        raise UnreachableError(
            f"the agent's answer is not understood ({error}); it may run an older version: "
            "systemctl restart stoker-agent"
        ) from error


def _error(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"])
    except (KeyError, TypeError, *GARBLED):
        return content.decode(errors="replace").strip()
