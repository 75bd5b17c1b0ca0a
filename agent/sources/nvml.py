"""GPUs as the driver sees them, through a child process: driver calls hang, so none runs here."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from agent.errors import GARBLED, SourceError
from agent.sources.gpu import NvmlReading
from agent.sources.nvml_child import Child, Process
from agent.sources.nvml_graves import Graves
from agent.sources.nvml_health import DriverReading, Hung, hangs, returned
from agent.xid.bus import normal

WORKER = (sys.executable, "-m", "agent.nvml.worker")
MISMATCH = 18  # nvml.h: NVML_ERROR_LIB_RM_VERSION_MISMATCH
MISMATCHED = (
    "the NVML library and the loaded driver are of different versions:"
    " the driver was replaced and must be loaded anew (reboot)"
)


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long is waited, in seconds."""

    answer: float = 3.0  # for a poll
    start: float = 1.5  # more, for the first poll of a child: it opens the driver
    burial: float = 0.5  # for a killed child to end, before it counts as abandoned
    pause: float = 5.0  # before the next child; doubles with every failure
    longest_pause: float = 60.0
    again: float = 60.0  # before a GPU is called again on which a call did not return


class NoGpus:
    """The source of a host that is to have no GPU: no driver is asked."""

    async def read(self) -> NvmlReading:
        """Return a reading without GPUs."""
        return NvmlReading()


class NvmlSource:
    """Asks the worker; kills and replaces a worker that does not answer in time.

    A GPU on which a call did not return is left out of the next polls, so that the others stay in
    sight. `health` tells about the driver itself; `hands_off` maps the bus ids of GPUs that must
    not be called to why.
    """

    def __init__(
        self,
        command: Sequence[str] = WORKER,
        patience: Patience | None = None,
        start: Callable[[Sequence[str]], Awaitable[Child]] = Process.start,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.health = DriverReading()
        self.hands_off: Mapping[str, str] = {}
        self._command, self._start, self._clock = command, start, clock
        self._patience = patience or Patience()
        self._graves = Graves()
        self._child: Child | None = None
        self._children = self._exchanges = self._failures = 0
        self._known: tuple[dict[str, str], ...] = ()  # the GPUs in the order of their numbers
        self._blind: NvmlReading | None = None
        self._not_before = 0.0
        self._fresh = self._let_go = False

    async def read(self) -> NvmlReading:
        """Return one poll of all GPUs; `SourceError` when the driver does not answer."""
        if self._let_go:
            raise SourceError("the driver was let go of")
        if self._blind and asyncio.get_running_loop().time() < self._not_before:
            return self._blind
        self._blind = None
        reading = await self._exchange()
        if reading.error == MISMATCH and self._exchanges > 1:
            # The driver was replaced under a running process; a new one maps the new library.
            self._drop()
            reading = await self._exchange()
        self._learn(reading)
        return self._blind or reading

    def refresh(self) -> None:
        """Let the next poll ask for the slow facts too, whatever their age."""
        self._fresh = True

    async def close(self) -> None:
        """Let go of the driver until `resume`: an open handle blocks a GPU reset.

        Raises `SourceError` while the driver holds a killed worker.
        """
        self._let_go = True
        self._drop()
        await self._graves.wait(self._patience.answer)
        if self._graves.held():
            raise SourceError("the driver holds a killed NVML worker")

    def resume(self) -> None:
        """Allow polls again; what hung may have been healed, and is tried at once."""
        self._let_go, self._not_before, self._failures, self._blind = False, 0.0, 0, None
        hung = tuple(Hung(one.pci, one.since, 0.0) for one in self.health.hung)
        self._tell(hung=hung)

    async def _exchange(self) -> NvmlReading:
        child = await self._running()
        patience = self._patience.answer + (0.0 if self._exchanges else self._patience.start)
        request, off = self._request()
        began, reading = self._clock(), None
        try:
            async with asyncio.timeout(patience):
                line = await child.ask(request)
            reading = msgspec.json.decode(line, type=NvmlReading)
        except TimeoutError:
            raise SourceError(str(self._hangs(child, began))) from None
        except (OSError, *GARBLED) as error:
            self._pause()
            raise SourceError(f"the NVML worker has ended: {error}") from error
        finally:
            # Whatever went wrong, also when we are cancelled: an answer that is still to come would
            # be taken for the next one's.
            if reading is None:
                self._drop(self._pci(child))
        self._exchanges += 1
        self._fresh = False
        if reading.error is None:
            self._tell(hung=returned(self.health.hung, off), mismatch=False)
        return reading

    def _request(self) -> tuple[bytes, Mapping[str, str]]:
        off = {one.pci: str(one) for one in self._waited_for()}
        off |= {normal(where): why for where, why in self.hands_off.items()}
        request: dict[str, object] = {"fresh": self._fresh, "hands_off": off}
        if self._exchanges == 0:
            request["known"] = self._known
        return msgspec.json.encode(request), off

    def _waited_for(self) -> list[Hung]:
        """Return the GPUs that may not be called yet, as one child of ours still hangs there."""
        now, held = self._clock(), self._graves.held()
        return [one for one in self.health.hung if one.pci and (now < one.until or one.pci in held)]

    def _learn(self, reading: NvmlReading) -> None:
        if reading.error is None:
            names = [{"uuid": g.uuid, "pci": g.pci, "name": g.name} for g in reading.gpus]
            self._known, self._blind, self._failures = tuple(names), None, 0
            return
        self._drop()
        self._blind = reading
        if reading.error == MISMATCH:
            self._blind = msgspec.structs.replace(reading, error_text=MISMATCHED)
        self._tell(mismatch=reading.error == MISMATCH)
        self._not_before = asyncio.get_running_loop().time() + self._patience.pause

    def _hangs(self, child: Child, began: float) -> Hung:
        """Note a call that did not return; on a GPU that we know it costs the others no pause."""
        pci = self._pci(child)
        found = Hung(pci, began, self._clock() + self._patience.again)
        self._tell(hung=hangs(self.health.hung, found))
        if not pci:
            self._pause()
        return next(one for one in self.health.hung if one.pci == pci)

    def _pci(self, child: Child) -> str:
        place = child.place
        if place is None or place >= len(self._known):
            return ""
        return normal(self._known[place]["pci"])

    def _pause(self) -> None:
        pause = self._patience.pause * 2.0 ** min(self._failures, 10)
        self._failures += 1
        now = asyncio.get_running_loop().time()
        self._not_before = now + min(pause, self._patience.longest_pause)

    async def _running(self) -> Child:
        if self._child is not None and not self._child.has_ended:
            return self._child
        wait = self._not_before - asyncio.get_running_loop().time()
        if wait > 0:
            raise SourceError(self._silence(f"the next NVML worker starts in {wait:.0f} s"))
        await self._graves.wait(self._patience.burial)
        self._tell()
        if "" in self._graves.held():
            raise SourceError(self._silence("the driver holds a killed NVML worker"))
        self._child = await self._start(self._command)
        self._exchanges = 0
        self._children += 1
        self._tell()
        if self._let_go:  # while the child was starting
            self._drop()
            raise SourceError("the driver was let go of")
        return self._child

    def _silence(self, otherwise: str) -> str:
        return "; ".join([*map(str, self.health.hung), otherwise])

    def _drop(self, pci: str = "") -> None:
        """Kill, and wait later: a worker in an uninterruptible call does not end."""
        if self._child is not None:
            self._child.kill()
            self._graves.add(self._child, pci)
        self._child = None

    def _tell(self, hung: tuple[Hung, ...] | None = None, mismatch: bool | None = None) -> None:
        self.health = DriverReading(
            hung=self.health.hung if hung is None else hung,
            mismatch=self.health.mismatch if mismatch is None else mismatch,
            abandoned=len(self._graves.abandoned()),
            respawns=max(0, self._children - 1),
        )
