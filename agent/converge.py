"""Makes the world as the decisions want it: the gate at once, the unit in the background.

Decides nothing. An act that fails is logged and tried again by a later tick, because phases are
levels: what a phase wants is made true on every tick.
"""

import asyncio
import logging
from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

from agent.errors import ActionError
from agent.model import DESIRED, Phase
from agent.paths import Paths, engine_unit
from agent.sources.units import Units

log = logging.getLogger("stoker.converge")


class Gates(Protocol):
    """The per-engine gate in front of new requests. `tests/agent/fakes.py` has the fake."""

    def set(self, engine: str, *, is_open: bool) -> None:
        """Let new requests in, or not; requests in flight are not touched."""


class FileGates:
    """The real one: nginx looks for the file on every request, so no reload is needed."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def set(self, engine: str, *, is_open: bool) -> None:
        """See `Gates`; raise `ActionError` when the file cannot be made or removed."""
        gate: Path = self._paths.gate(engine)
        try:
            if is_open:
                gate.touch()
            else:
                gate.unlink(missing_ok=True)
        except OSError as error:
            raise ActionError(f"{gate}: {error}") from error


class Converger:
    """One slow act at a time for each engine; while it lasts the engine is `busy`."""

    def __init__(self, units: Units, gates: Gates, act_deadline: float) -> None:
        self._units, self._gates, self._deadline = units, gates, act_deadline
        self._acts: dict[str, asyncio.Task[None]] = {}

    def busy(self, engine: str) -> bool:
        """Say whether a start or stop of the engine is under way."""
        return engine in self._acts

    def gate(self, engine: str, phase: Phase) -> None:
        """Open or close the gate as the phase wants."""
        try:
            self._gates.set(engine, is_open=DESIRED[phase].gate_open)
        except ActionError as error:
            log.error("gate of %s: %s", engine, error)

    def start(self, engine: str) -> None:
        """Begin to (re)start the engine; an act under way is left to end first."""
        if not self.busy(engine):
            self._begin(engine, self._units.restart(engine_unit(engine), self._deadline))

    def settle(self, engine: str, phase: Phase, *, running: bool | None) -> None:
        """Stop the engine if its phase wants that and it is seen to run."""
        if running and DESIRED[phase].stopped and not self.busy(engine):
            self._begin(engine, self._units.stop(engine_unit(engine), self._deadline))

    async def drain(self) -> None:
        """Wait for the acts under way (in tests and at the end of the program)."""
        await asyncio.gather(*self._acts.values(), return_exceptions=True)

    def _begin(self, engine: str, act: Awaitable[None]) -> None:
        self._acts[engine] = asyncio.create_task(self._guard(engine, act))

    async def _guard(self, engine: str, act: Awaitable[None]) -> None:
        try:
            await act
        except ActionError as error:
            log.error("engine %s: %s", engine, error)
        finally:
            del self._acts[engine]
