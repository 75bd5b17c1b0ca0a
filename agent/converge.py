"""Makes the world as the decisions want it: the gate at once, the unit in the background.

Decides nothing. An act that fails is logged and tried again by a later tick, because phases are
levels: what a phase wants is made true on every tick.
"""

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from agent.errors import ActionError
from agent.model import EngineState, desired
from agent.paths import Paths, engine_unit
from agent.sources.unit import Units

log = logging.getLogger("stoker.converge")

HURRY = 20.0  # seconds that a runner has to stop an engine in haste

Act = Callable[[str, float], Awaitable[None]]  # on a unit, within seconds


class Gates(Protocol):
    """The per-engine gate in front of new requests. `tests/agent/fakes.py` has the fake."""

    def set(self, engine: str, *, is_open: bool) -> None:
        """Let new requests in, or not; requests in flight are not touched."""

    def expect(self, engine: str, seconds: int | None) -> None:
        """Tell those who are not let in when to come again; None = not known."""


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

    def expect(self, engine: str, seconds: int | None) -> None:
        """See `Gates`. Of the files one is there, or none; a wrong word harms nobody for long."""
        wanted = None if seconds is None else self._paths.comeback(engine, seconds)
        for path in self._paths.gate(engine).parent.glob(f"{engine}.back-*"):
            if path != wanted:
                with suppress(OSError):
                    path.unlink()
        if wanted:
            with suppress(OSError):
                wanted.touch()


class Converger:
    """One slow act at a time for each engine; while it lasts the engine is `busy`."""

    def __init__(self, units: Units, gates: Gates, act_deadline: float) -> None:
        self._units, self._gates, self._deadline = units, gates, act_deadline
        self._acts: dict[str, asyncio.Task[None]] = {}
        self._queued: set[str] = set()
        self._expected: dict[str, int | None] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._ended: Counter[str] = Counter()
        self.stuck: dict[str, str] = {}  # gates that could not be moved, by engine, and why

    def busy(self, engine: str) -> bool:
        """Say whether a start or stop of the engine is under way."""
        return engine in self._acts

    def ended(self, engine: str) -> int:
        """Return how many acts on the engine have ended: a look during one tells nothing."""
        return self._ended[engine]

    def gate(self, engine: str, state: EngineState) -> None:
        """Open or close the gate as the state wants."""
        self._set(engine, is_open=desired(state).gate_open)

    def expect(self, engine: str, seconds: int | None) -> None:
        """Tell clients when it is expected back, if it has changed."""
        if self._expected.get(engine, -1) != seconds:
            self._gates.expect(engine, seconds)
            self._expected[engine] = seconds

    def start(self, engine: str, *, haste: bool = False) -> None:
        """Begin to (re)start the engine; after the act under way, of which one is enough.

        `haste`: what runs does nothing any more, and gets a moment instead of its deadline.
        """
        if engine in self._queued:
            return
        before = {*self._retiring}  # an engine that goes frees its GPUs and its port
        if under_way := self._acts.get(engine):
            before.add(under_way)
            self._queued.add(engine)
        act = self._hastily(self._units.restart) if haste else self._units.restart
        self._begin(engine, act, before)

    def settle(self, engine: str, state: EngineState, *, running: bool | None) -> None:
        """Stop the engine if its state wants that and it is seen to run."""
        if running and desired(state).stopped and not self.busy(engine):
            stop = self._units.stop
            self._begin(engine, self._hastily(stop) if state.halted else stop)

    def retire(self, engine: str) -> None:
        """Shut out and stop an engine that the spec does not have any more."""
        self._set(engine, is_open=False)
        task = self._begin(engine, self._units.stop)
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def settled(self) -> None:
        """Wait for the acts under way."""
        await asyncio.gather(*self._acts.values(), return_exceptions=True)

    def _hastily(self, act: Act) -> Act:
        async def hurried(unit: str, deadline: float) -> None:
            await self._signal(unit, signal.SIGQUIT)  # to the runner: see `agent.runner`
            try:
                await act(unit, min(HURRY, deadline))
            except ActionError as error:
                log.error("%s; its runner is killed", error)
                await self._signal(unit, signal.SIGKILL)  # the unit removes the container
                await act(unit, deadline)

        return hurried

    async def _signal(self, unit: str, number: int) -> None:
        try:
            await self._units.kill(unit, number)
        except ActionError as error:  # it may have ended meanwhile
            log.info("%s", error)

    def _set(self, engine: str, *, is_open: bool) -> None:
        try:
            self._gates.set(engine, is_open=is_open)
        except ActionError as error:
            log.error("gate of %s: %s", engine, error)
            self.stuck[engine] = str(error)
        else:
            self.stuck.pop(engine, None)

    def _begin(
        self, engine: str, act: Act, before: Collection[asyncio.Task[None]] = ()
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(self._do(engine, act, before))
        self._acts[engine] = task
        return task

    async def _do(self, engine: str, act: Act, before: Collection[asyncio.Task[None]]) -> None:
        try:
            if before:
                await asyncio.wait(before)
            self._queued.discard(engine)
            await act(engine_unit(engine), self._deadline)
        except ActionError as error:
            log.error("engine %s: %s", engine, error)
        finally:
            self._ended[engine] += 1
            if self._acts.get(engine) is asyncio.current_task():
                del self._acts[engine]
