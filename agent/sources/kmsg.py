"""The kernel's log, from boot on and live: /dev/kmsg in the agent's own loop.

One read is one record; EAGAIN: no more for now; EPIPE: records were overwritten before we read
them, and the next read is the oldest there is (Documentation/ABI/testing/dev-kmsg).
"""

import asyncio
import errno
import logging
import os
import select
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agent.errors import SourceError
from agent.model import Value
from agent.sources.kmsg_notes import Note, NoteKind
from agent.sources.kmsg_sieve import LONGEST, Sieve
from agent.xid.fault import KernelFault

BATCH = 512  # lines after which the loop gets its turn: below 10 ms, all of them faults
REST = 0.005  # seconds between two looks: a storm costs 200 wake-ups a second, and no more
QUIET = 60.0  # seconds without a loss after which another is worth a line in our own log
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before a log that failed is opened again

log = logging.getLogger("stoker.kmsg")

Pull = Callable[[int, int], bytes]


class LogReading(Value, frozen=True, kw_only=True):
    """How the reading of the log stands.

    `ok`: all there is has been read, False = still behind. `gaps`: how often records were lost,
    at last at `lost_at`; whoever sees it grow must look by a poll. `read`: the last sequence
    number, -1 = none yet. `counts`: notes since boot, of which `notes` are the last of each kind.
    """

    ok: bool
    gaps: int = 0
    lost_at: float | None = None
    read: int = -1
    notes: tuple[Note, ...] = ()
    counts: Mapping[NoteKind, int] = {}


class KernelLog:
    """Tells faults as soon as the kernel has written them, each once.

    `after`: the last sequence number of this boot that is known already. `injected`: what
    programs write to the log counts as the kernel's word (fault injection only). `booted`: the
    instant that the kernel's stamps count from, until a live record shows it.
    """

    def __init__(
        self,
        boot: str,
        told: Callable[[Sequence[KernelFault]], None],
        path: Path = Path("/dev/kmsg"),
        booted: float | None = None,
        wall: Callable[[], float] = time.time,
        *,
        after: int = -1,
        injected: bool = False,
        pull: Pull = os.read,
    ) -> None:
        self._told, self._path, self._wall, self._pull = told, path, wall, pull
        begun = wall() - time.monotonic() if booted is None else booted
        self._sieve = Sieve(boot, begun, after=after, injected=injected)
        self._file: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pause = FIRST_PAUSE
        self._problem = "the kernel log is not being read"
        self._behind = True
        self._gaps = 0
        self._lost_at: float | None = None

    def start(self) -> None:
        """Begin to read, in the running loop; a log that cannot be opened is tried again."""
        self._open()

    def close(self) -> None:
        """Stop reading."""
        self._let_go()
        self._problem = "the kernel log is not being read any more"

    async def read(self) -> LogReading:
        """Say how it stands; `SourceError` while the log cannot be read."""
        if self._file is None:
            raise SourceError(self._problem)
        return LogReading(
            ok=not self._behind,
            gaps=self._gaps,
            lost_at=self._lost_at,
            read=self._sieve.read,
            notes=self._sieve.notes.kept,
            counts=self._sieve.notes.counts,
        )

    def _open(self) -> None:
        try:
            self._file = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            self._fail(_why(error))
            return
        self._behind = _waiting(self._file)
        try:
            self._watch()
        except PermissionError:
            self._fail("epoll cannot watch a plain file")
            return
        log.info("%s is being read", self._path)
        self._problem = ""

    def _watch(self) -> None:
        if self._file is not None:
            asyncio.get_running_loop().add_reader(self._file, self._readable, self._file)

    def _readable(self, file: int) -> None:
        faults: list[KernelFault] = []
        try:
            self._drain(file, faults)
        except BlockingIOError:
            self._behind = False
            self._rest(file)
        except OSError as error:
            self._fail(_why(error))
        else:
            self._behind = _waiting(file)
        if faults:
            self._told(faults)

    def _drain(self, file: int, faults: list[KernelFault]) -> None:
        """Read a batch; leaves by `BlockingIOError` when that was all, or by what went wrong."""
        now, left, live = self._wall(), BATCH, not self._behind
        while left > 0:
            try:
                chunk = self._pull(file, LONGEST)
            except BrokenPipeError:
                self._lose(now)
                left, live = left - 1, False
                continue
            faults += self._sieve.take(chunk or b"\n", now, live=live)
            if not chunk:
                raise OSError(errno.ENODATA, "it has ended")
            self._pause, live = FIRST_PAUSE, False
            left -= max(1, chunk.count(b"\n"))

    def _lose(self, now: float) -> None:
        if self._lost_at is None or now - self._lost_at > QUIET:
            log.warning("kernel log records were overwritten before they were read")
        self._gaps, self._lost_at = self._gaps + 1, now

    def _rest(self, file: int) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(file)
        self._timer = loop.call_later(REST, self._watch)

    def _fail(self, why: str) -> None:
        self._let_go()
        problem = f"{self._path} cannot be read: {why}"
        if problem != self._problem:
            log.error("%s", problem)
        self._problem = problem
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._open)
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)

    def _let_go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._file is not None:
            asyncio.get_running_loop().remove_reader(self._file)
            os.close(self._file)
        self._timer = self._file = None


def _waiting(file: int) -> bool:
    poll = select.poll()
    poll.register(file, select.POLLIN)
    return bool(poll.poll(0))


def _why(error: OSError) -> str:
    why = error.strerror or str(error)
    if error.errno in {errno.EPERM, errno.EACCES}:
        return f"{why} (it takes CAP_SYSLOG while kernel.dmesg_restrict is 1)"
    return why
