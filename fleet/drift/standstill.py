"""The engines of this node, out of the way while a correction is made that would break them off.

They are drained with a slot of the fleet brake, where there is one, and serve again afterwards.
What a check that was killed has left drained, the next one lets serve.
"""

import subprocess
import sys
from typing import Protocol

import msgspec

from agent.errors import ActionError, StokerError
from agent.model import EngineState, Phase
from agent.paths import Paths
from agent.spec import HostSpec
from agent.unix_http import call, decode
from fleet import braking

BY = "drift"
MARGIN = 60.0
ANSWER = 10.0  # seconds


class _Engine(msgspec.Struct, frozen=True):
    state: EngineState
    served_name: str = ""


class _Status(msgspec.Struct, frozen=True):
    """The little of `agent.snapshot` that is looked at: all of it takes aiohttp with it."""

    engines: dict[str, _Engine]


class Standstill(Protocol):
    """`tests/fleet/drift/` has the fake."""

    def begin(self) -> str:
        """Drain what serves; return why that cannot be now, "" when nothing serves any more."""

    def end(self) -> None:
        """Let those serve again that `begin` has drained, or one of a check that was killed.

        Raises `StokerError` when one of them, or the agent, does not do as it is asked.
        """

    def copy(self) -> str:
        """Tell of a copy that a deploy has left, and that is all that serves; "" = there is none.

        Raises `StokerError` when nobody can be asked.
        """


class Engines:
    """The real one. A person's drain stays his."""

    def __init__(self, spec: HostSpec, paths: Paths) -> None:
        self._spec, self._socket = spec, str(paths.socket)

    def begin(self) -> str:
        """See `Standstill`."""
        try:
            states = self._states()
        except StokerError as error:
            return str(error)
        for name, state in states:
            if state.phase is Phase.DRAINING:  # for somebody else, who may have begun a restart
                return f"engine {name} still finishes what is in flight"
        for name in (name for name, state in states if state.phase in _WORKING):
            if problem := self._drain(name):
                return "; ".join([problem, *self._undrained()])
        return ""

    def end(self) -> None:
        """See `Standstill`."""
        if problems := self._undrained():
            raise ActionError("; ".join(problems))

    def copy(self) -> str:
        """See `Standstill`."""
        found, wanted = self._engines(), self._spec.engines
        serving = {name: e for name, e in found.items() if e.state.phase is Phase.SERVING}
        for name, engine in wanted.items():
            same = [n for n, e in serving.items() if e.served_name == engine.name_served]
            if same and not wanted.keys() & same:
                return f"{same[0]} serves for {name}"
        return ""

    def _undrained(self) -> list[str]:
        """Let serve again what we have drained, all that can; return what stood in the way."""
        try:
            states = self._states()
        except StokerError as error:
            return [str(error)]
        ours = [
            name
            for name, state in states
            if state.by == BY and state.phase in {Phase.DRAINED, Phase.DRAINING}
        ]
        asked = ((name, self._ask("undrain", name, "the correction is over")) for name in ours)
        return [f"engine {name} stays drained: {words}" for name, words in asked if words]

    def _states(self) -> list[tuple[str, EngineState]]:
        return [(name, engine.state) for name, engine in self._engines().items()]

    def _engines(self) -> dict[str, _Engine]:
        return decode(call(self._socket, ANSWER, "GET", "/v1/status"), _Status).engines

    def _drain(self, name: str) -> str:
        slot = ["--slot", f"{seconds:.0f}"] if (seconds := braking.slot_wait(self._spec)) else []
        engine = self._spec.engines.get(name)
        wait = (engine.drain_deadline if engine else 0.0) + MARGIN
        return self._ask("drain", name, "a correction", "--wait", f"{wait:.0f}", *slot)

    def _ask(self, verb: str, name: str, reason: str, *options: str) -> str:
        """Ask the agent as anybody would; return its last words when it comes to nothing."""
        command = [sys.executable, "-m", "agent.ctl", "--socket", self._socket, verb, name]
        command += ["--by", BY, "--reason", reason, *options]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
        words = done.stderr.strip().splitlines()
        return (words[-1] if words else f"{verb} failed") if done.returncode else ""


_WORKING = {Phase.SERVING, Phase.STARTING}
