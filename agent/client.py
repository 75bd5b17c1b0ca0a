"""The other end of the agent's unix socket: HTTP/1.1 over AF_UNIX, blocking, for commands."""

import json

from agent.documents import Ack, Free
from agent.model import EngineState, Verb
from agent.snapshot import Snapshot
from agent.unix_http import NotNowError, RefusedError, UnreachableError, call, decode

__all__ = ["Agent", "NotNowError", "RefusedError", "UnreachableError"]


class Agent:
    """One agent, reached by the path of its socket."""

    def __init__(self, path: str, timeout: float = 10.0) -> None:
        self._path, self._timeout = path, timeout

    def status(self) -> Snapshot:
        """Return the latest snapshot; raise `UnreachableError` or `RefusedError`."""
        return decode(self._call("GET", "/v1/status"), Snapshot)

    def ask(
        self, verb: Verb, engine: str, by: str, reason: str, *, slot: bool = False
    ) -> EngineState:
        """Ask for `verb` and return the engine's state right after it.

        `slot`: raises `NotNowError` until the fleet brake has granted a slot.
        """
        body = json.dumps({"engine": engine, "by": by, "reason": reason, "slot": slot})
        return decode(self._call("POST", f"/v1/{verb}", body), EngineState)

    def acknowledge(self, incident: str, by: str, reason: str) -> Ack:
        """Close an incident by a person's word."""
        body = json.dumps({"incident": incident, "by": by, "reason": reason})
        return decode(self._call("POST", "/v1/ack", body), Ack)

    def free(self, by: str, reason: str) -> Free:
        """Have the slot of the fleet brake given back by a person's word."""
        body = json.dumps({"by": by, "reason": reason})
        return decode(self._call("POST", "/v1/free", body), Free)

    def _call(self, method: str, path: str, body: str | None = None) -> bytes:
        return call(self._path, self._timeout, method, path, body)
