"""The driver's events, pushed by a child. Losing it only costs latency: polls see the rest."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from agent.errors import GARBLED, SourceError
from agent.sources.nvml_child import Child, Process
from agent.sources.nvml_graves import Graves

EVENTS = (sys.executable, "-m", "agent.nvml.events")

# nvml.h, nvmlEventType*
DOUBLE_BIT_ECC, XID = 0x2, 0x8
GPU_UNAVAILABLE, RECOVERY_ACTION = 0x4000, 0x8000


class NvmlEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `data` is the Xid's number for `XID`; `gi` and `ci` only in a MIG instance."""

    pci: str
    type: int  # one bit of nvmlEventType*
    data: int
    at: float  # wall clock
    gi: int | None = None
    ci: int | None = None


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    pci: str = ""
    type: int = 0
    data: int = 0
    at: float = 0.0
    gi: int | None = None
    ci: int | None = None


class NvmlEvents:
    """Calls `told` with each event, and `ready` when it has begun to watch.

    Poll when it is ready: what happened before is not told. `only` names the GPUs (bus ids) that
    the next child watches; none = all.
    """

    def __init__(
        self,
        told: Callable[[NvmlEvent], None],
        ready: Callable[[], None] = lambda: None,
        command: Sequence[str] = EVENTS,
        start: Callable[[Sequence[str]], Awaitable[Child]] = Process.start,
        *,
        silence: float = 5.0,
        pause: float = 1.0,
    ) -> None:
        """`silence`: seconds after which a child is taken for hung; `pause` doubles to 60 s."""
        self.only: tuple[str, ...] = ()
        self.respawns = 0
        self._told, self._ready, self._command, self._start = told, ready, command, start
        self._silence, self._first_pause = silence, pause
        self._graves = Graves()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch, or go on after `close`."""
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Let go of the driver; `SourceError` while it holds a killed child."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._task = None
        await self._graves.wait(self._silence)
        if self._graves.held():
            raise SourceError("the driver holds a killed NVML event child")

    async def _run(self) -> None:
        pause = self._first_pause
        while True:
            await self._graves.wait(self._silence)
            if not self._graves.held() and await self._watched():
                pause = self._first_pause
            await asyncio.sleep(pause)
            pause = min(pause * 2, 60.0)
            self.respawns += 1

    async def _watched(self) -> bool:
        """Let one child watch until it ends or falls silent; whether it had begun to."""
        try:
            child = await self._start([*self._command, *self.only])
        except SourceError:
            return False
        begun = False
        try:
            while True:
                async with asyncio.timeout(self._silence):
                    line = await child.line()
                begun |= self._heed(msgspec.json.decode(line, type=_Line))
        except (TimeoutError, OSError, *GARBLED):
            return begun
        finally:
            child.kill()
            self._graves.add(child, "")

    def _heed(self, line: _Line) -> bool:
        if line.kind == "ready":
            self._ready()
        if line.kind == "event":
            self._told(msgspec.convert(line, NvmlEvent, from_attributes=True))
        return line.kind == "ready"
