"""The host beside its GPUs: disks, files, units, versions. One reading of all."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from agent.errors import SourceError
from agent.sources import host_files as files
from agent.sources.aside import Aside

DOCKER, CONTAINERD = "docker.service", "containerd.service"
PERSISTENCED, FABRIC_MANAGER = "nvidia-persistenced.service", "nvidia-fabricmanager.service"
UNITS = (DOCKER, CONTAINERD, PERSISTENCED, FABRIC_MANAGER)


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """One file system that we need. Sizes in bytes; `free` is what is left to ordinary users."""

    path: str
    free: int
    total: int
    read_only: bool = False


class HostReading(msgspec.Struct, frozen=True, kw_only=True):
    """None = cannot be told on this host. `units`: unit name → ActiveState, "" = no such unit."""

    disks: tuple[Disk, ...] = ()
    stuck: tuple[str, ...] = ()  # paths whose file system does not answer
    shm_free: int | None = None  # bytes of /dev/shm
    shm_total: int | None = None
    files_open: int | None = None  # /proc/sys/fs/file-nr
    files_max: int | None = None
    driver_loaded: str | None = None  # version of the loaded kernel module
    driver_library: str | None = None  # version of the libnvidia-ml that a new process would load
    nvswitches: int = 0  # on the PCI bus
    clock_synchronised: bool | None = None
    units: dict[str, str] = {}


class UnitStates(Protocol):
    """What the host source needs of systemd."""

    async def active(self, unit: str) -> str:
        """Return the unit's ActiveState, "" if there is no such unit; `SourceError` = no answer."""


class ClockState(Protocol):
    """Who knows whether the clock is synchronised.

    adjtimex(2) tells it to every user, but our unit's ProtectClock and SystemCallFilter forbid the
    call (it would be killed), and /run/systemd/timesync/synchronized is there with
    systemd-timesyncd only. systemd-timedated makes the call for whoever asks it over D-Bus:
    property NTPSynchronized of org.freedesktop.timedate1. It needs no privilege.
    """

    async def synchronised(self) -> bool:
        """Return the kernel's word; `SourceError` when it cannot be had."""


class HostSource:
    """Looks at the host every `every` seconds, and shows the latest look in between.

    `disks` are paths on the file systems that matter. Nothing here waits for a disk: a file system
    that does not answer within `deadline` seconds is told as stuck.
    """

    def __init__(
        self,
        disks: Sequence[str],
        units: UnitStates,
        clock: ClockState,
        roots: files.Roots = files.HERE,
        *,
        every: float = 10.0,
        deadline: float = 3.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._disks, self._units, self._clock, self._roots = tuple(disks), units, clock, roots
        self._every, self._deadline, self._now = every, deadline, now
        self._aside = Aside()
        self._latest: HostReading | None = None
        self._due = 0.0

    async def read(self) -> HostReading:
        """Return what the host shows; what cannot be told is None or left out."""
        now = self._now()
        if self._latest is None or now >= self._due:
            self._latest, self._due = await self._look(), now + self._every
        return self._latest

    async def _look(self) -> HostReading:
        facts, (disks, stuck), units, clock = await asyncio.gather(
            self._facts(), self._every_disk(), self._every_unit(), self._synchronised()
        )
        return msgspec.structs.replace(
            facts, disks=disks, stuck=stuck, units=units, clock_synchronised=clock
        )

    async def _facts(self) -> HostReading:
        roots = self._roots
        try:
            return await self._aside.call("facts", lambda: _facts(roots), self._deadline)
        except TimeoutError:
            raise SourceError("the kernel does not answer: /proc or /sys hangs") from None

    async def _every_disk(self) -> tuple[tuple[Disk, ...], tuple[str, ...]]:
        looks = await asyncio.gather(*map(self._disk, self._disks), return_exceptions=True)
        disks = tuple(look for look in looks if isinstance(look, Disk))
        found = zip(self._disks, looks, strict=True)
        return disks, tuple(path for path, look in found if isinstance(look, TimeoutError))

    async def _disk(self, path: str) -> Disk:
        """Return one file system; `OSError` when there is no such path, `TimeoutError` = it hangs.

        `TimeoutError` is an `OSError` too: ask for it first.
        """
        return await self._aside.call(path, lambda: _disk(path, self._roots), self._deadline)

    async def _every_unit(self) -> dict[str, str]:
        states = await asyncio.gather(*map(self._unit, UNITS))
        return {unit: state for unit, state in zip(UNITS, states, strict=True) if state is not None}

    async def _unit(self, unit: str) -> str | None:
        try:
            async with asyncio.timeout(self._deadline):
                return await self._units.active(unit)
        except (SourceError, TimeoutError):
            return None

    async def _synchronised(self) -> bool | None:
        try:
            async with asyncio.timeout(self._deadline):
                return await self._clock.synchronised()
        except (SourceError, TimeoutError):
            return None


def _facts(roots: files.Roots) -> HostReading:
    free, total = files.space(str(roots.shm)) if roots.shm.exists() else (None, None)
    used, most = files.open_files(roots)
    return HostReading(
        shm_free=free,
        shm_total=total,
        files_open=used,
        files_max=most,
        driver_loaded=files.driver_loaded(roots),
        driver_library=files.driver_library(roots),
        nvswitches=files.nvswitches(roots),
    )


def _disk(path: str, roots: files.Roots) -> Disk:
    free, total = files.space(path)
    return Disk(path=path, free=free, total=total, read_only=files.read_only(path, roots))
