"""How the driver itself is doing, as its answers and silences show. Pure."""

from collections.abc import Collection
from datetime import UTC, datetime

import msgspec


class Hung(msgspec.Struct, frozen=True):
    """A driver call that did not return, and that was not seen to return since."""

    pci: str  # bus id of the GPU that was looked at; "" = no GPU in particular
    since: float  # wall clock: when the look began
    until: float  # wall clock: the GPU is not called before

    def __str__(self) -> str:
        where = f" on GPU {self.pci}" if self.pci else ""
        return f"a driver call{where} has not returned since {clock(self.since)}"


class DriverReading(msgspec.Struct, frozen=True, kw_only=True):
    """The way to the driver. All is well with the defaults."""

    hung: tuple[Hung, ...] = ()
    mismatch: bool = False  # the library and the loaded driver are of different versions
    abandoned: int = 0  # killed children that the driver does not let end
    respawns: int = 0  # children started after the first

    @property
    def hung_since(self) -> float | None:
        """Return when the oldest call began that has not returned."""
        return min((one.since for one in self.hung), default=None)


def hangs(hung: tuple[Hung, ...], found: Hung) -> tuple[Hung, ...]:
    """Add a call that did not return; of a GPU that hung before, the first time counts."""
    since = min([found.since, *(one.since for one in hung if one.pci == found.pci)])
    others = [one for one in hung if one.pci != found.pci]
    return (*others, Hung(found.pci, since, found.until))


def returned(hung: tuple[Hung, ...], left_out: Collection[str]) -> tuple[Hung, ...]:
    """Return what still hangs after a whole poll that called all GPUs but `left_out`."""
    return tuple(one for one in hung if one.pci in left_out)


def clock(at: float) -> str:
    """Return the time of day, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"
