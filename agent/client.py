"""The other end of the agent's unix socket: HTTP/1.1 over AF_UNIX, blocking, for commands."""

import http.client
import json
from typing import TypeVar

import msgspec

from agent.documents import Ack, Free
from agent.errors import GARBLED, StokerError
from agent.model import EngineState, Verb
from agent.snapshot import Snapshot
from agent.unix_http import UnixConnection

R = TypeVar("R", bound=msgspec.Struct)


class UnreachableError(StokerError):
    """The agent did not answer; it may be stopped, or the caller may not open its socket."""


class RefusedError(StokerError):
    """The agent answered that it will not."""


class NotNowError(RefusedError):
    """The agent answered that it will not as things are (HTTP 409)."""


class Agent:
    """One agent, reached by the path of its socket."""

    def __init__(self, path: str, timeout: float = 10.0) -> None:
        self._path, self._timeout = path, timeout

    def status(self) -> Snapshot:
        """Return the latest snapshot; raise `UnreachableError` or `RefusedError`."""
        return _decode(self._call("GET", "/v1/status"), Snapshot)

    def ask(
        self, verb: Verb, engine: str, by: str, reason: str, *, slot: bool = False
    ) -> EngineState:
        """Ask for `verb` and return the engine's state right after it.

        `slot`: raises `NotNowError` until the fleet brake has granted a slot.
        """
        body = json.dumps({"engine": engine, "by": by, "reason": reason, "slot": slot})
        return _decode(self._call("POST", f"/v1/{verb}", body), EngineState)

    def acknowledge(self, incident: str, by: str, reason: str) -> Ack:
        """Close an incident by a person's word."""
        body = json.dumps({"incident": incident, "by": by, "reason": reason})
        return _decode(self._call("POST", "/v1/ack", body), Ack)

    def free(self, by: str, reason: str) -> Free:
        """Have the slot of the fleet brake given back by a person's word."""
        body = json.dumps({"by": by, "reason": reason})
        return _decode(self._call("POST", "/v1/free", body), Free)

    def _call(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = UnixConnection(self._path, self._timeout)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            content = answer.read()
        except PermissionError:
            raise UnreachableError(f"{self._path}: not permitted; try with sudo") from None
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(
                f"the agent does not answer on {self._path} ({error}); "
                "see: systemctl status stoker-agent"
            ) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise (NotNowError if answer.status == 409 else RefusedError)(_error(content))
        return content


def _decode(content: bytes, kind: type[R]) -> R:
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
