"""Where readings come from: the only places of the agent that look at the world.

Each source is an edge: a class with `async def read()`, which returns a value or raises
`SourceError`, and decides nothing. `Sources` holds one round of readings.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Generic, Protocol, TypeVar

import msgspec

from agent.errors import SourceError
from agent.sources.engine import EngineReading
from agent.sources.nvml import NvmlReading

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """Something that can be looked at."""

    async def read(self) -> T_co:
        """Look once; raise `SourceError` when it cannot be seen."""


class Reading(msgspec.Struct, Generic[T], frozen=True):
    """What a source showed, or why it showed nothing."""

    value: T | None
    problem: str = ""

    def require(self) -> T:
        """Return the value; raise `SourceError` (so a check ends in UNKNOWN) if there is none."""
        if self.value is None:
            raise SourceError(self.problem or "not read yet")
        return self.value


class Sources:
    """All sources of a node, and the readings of the latest round."""

    def __init__(
        self,
        engines: Mapping[str, Source[EngineReading]],
        nvml: Source[NvmlReading],
        pci: Source[int],
        deadline: float = 10.0,
    ) -> None:
        self._engines, self._nvml, self._pci = engines, nvml, pci
        self._deadline = deadline
        self.engines: dict[str, Reading[EngineReading]] = {}
        self.nvml: Reading[NvmlReading] = Reading(None)
        self.pci: Reading[int] = Reading(None)

    async def refresh(self) -> None:
        """Look at everything at once; a source that fails or is late shows nothing this time."""
        names = list(self._engines)
        self.nvml, self.pci, engines = await asyncio.gather(
            self._look(self._nvml.read()),
            self._look(self._pci.read()),
            asyncio.gather(*(self._look(self._engines[name].read()) for name in names)),
        )
        self.engines = dict(zip(names, engines, strict=True))

    async def _look(self, reading: Awaitable[T]) -> Reading[T]:
        try:
            return Reading(await asyncio.wait_for(reading, self._deadline))
        except TimeoutError:
            return Reading(None, f"no answer within {self._deadline:.0f} s")
        except SourceError as error:
            return Reading(None, str(error))
        except Exception as error:  # one broken source must not blind the others
            return Reading(None, f"the source broke: {error!r}")
