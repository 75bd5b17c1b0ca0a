"""Where readings come from: the only places of the agent that look at the world.

Each source is an edge: a class with `async def read()`, which returns a value or raises
`SourceError`, and decides nothing. `Sources` holds one round of readings.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec

from agent.errors import SourceError
from agent.sources.engine import EngineReading
from agent.sources.gateway import GatewayReading
from agent.sources.gpu import NvmlReading
from agent.sources.host import HostReading
from agent.sources.kmsg import LogReading
from agent.sources.nvml_health import DriverReading
from agent.trends import Trends, fold

STILL_LOOKING = "still looking"

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """Something that can be looked at."""

    async def read(self) -> T_co:
        """Look once; raise `SourceError` when it cannot be seen."""


class Reading(msgspec.Struct, Generic[T], frozen=True):
    """What a source showed, or why it showed nothing. `at`: when it began to look."""

    value: T | None
    problem: str = ""
    at: float = 0.0

    def require(self) -> T:
        """Return the value; raise `SourceError` (so a check ends in UNKNOWN) if there is none."""
        if self.value is None:
            raise SourceError(self.problem or "not read yet")
        return self.value


class Edges(msgspec.Struct, frozen=True, kw_only=True):
    """All sources of a node."""

    engines: Mapping[str, Source[EngineReading]]
    nvml: Source[NvmlReading]
    pci: Source[int]
    host: Source[HostReading]
    log: Source[LogReading]
    pids: Source[dict[str, frozenset[int]]]
    gateway: Source[GatewayReading]
    driver: Callable[[], DriverReading] = DriverReading


class Sources:
    """The readings of the latest round.

    A slow source does not hold the round up: it shows nothing this time, and what it is
    looking for in a later round. A look that lasts longer than `deadline` is given up.
    """

    def __init__(
        self,
        edges: Edges,
        patience: float = 1.0,
        deadline: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._edges, self._patience, self._deadline, self._clock = edges, patience, deadline, clock
        self._looks: dict[str, asyncio.Task[Reading[Any]]] = {}
        self.engines: dict[str, Reading[EngineReading]] = {}
        self.nvml: Reading[NvmlReading] = Reading(None)
        self.pci: Reading[int] = Reading(None)
        self.host: Reading[HostReading] = Reading(None)
        self.log: Reading[LogReading] = Reading(None)
        self.pids: Reading[dict[str, frozenset[int]]] = Reading(None)
        self.gateway: Reading[GatewayReading] = Reading(None)
        self.trends = Trends()
        self.gpus_last_seen: NvmlReading | None = None
        self.missed: Mapping[str, bool] = {}  # see `gpu_count.missed`: of memory, no reading

    async def refresh(self) -> None:
        """Look at everything at once, for at most `patience` seconds."""
        named: dict[str, Source[object]] = {
            "nvml": self._edges.nvml,
            "pci": self._edges.pci,
            "host": self._edges.host,
            "log": self._edges.log,
            "pids": self._edges.pids,
            "gateway": self._edges.gateway,
            **{f"engine:{name}": source for name, source in self._edges.engines.items()},
        }
        now = self._clock()
        for key, source in named.items():
            if key not in self._looks:
                self._looks[key] = asyncio.create_task(self._look(source.read(), now))
        await asyncio.wait(self._looks.values(), timeout=self._patience)
        shown = {key: self._taken(key) for key in named}
        self.nvml, self.pci = cast("Any", shown["nvml"]), cast("Any", shown["pci"])
        self.host, self.log = cast("Any", shown["host"]), cast("Any", shown["log"])
        self.pids, self.gateway = cast("Any", shown["pids"]), cast("Any", shown["gateway"])
        if self.nvml.value is not None:
            self.gpus_last_seen = self.nvml.value
            self.trends = fold(self.trends, self.nvml.value, time.monotonic())
        self.engines = {name: cast("Any", shown[f"engine:{name}"]) for name in self._edges.engines}

    @property
    def driver(self) -> DriverReading:
        """How the driver itself is doing, as far as our calls show."""
        return self._edges.driver()

    async def close(self) -> None:
        """Give up what is still looking."""
        for look in self._looks.values():
            look.cancel()
        await asyncio.gather(*self._looks.values(), return_exceptions=True)

    def _taken(self, key: str) -> Reading[Any]:
        """Return what a look has found, once; while it lasts it has found nothing."""
        if not self._looks[key].done():
            return Reading(None, STILL_LOOKING)
        return self._looks.pop(key).result()

    async def _look(self, reading: Coroutine[Any, Any, T], at: float) -> Reading[T]:
        try:
            async with asyncio.timeout(self._deadline):
                return Reading(await reading, at=at)
        except TimeoutError:
            return Reading(None, f"no answer within {self._deadline:.0f} s", at)
        except SourceError as error:
            return Reading(None, str(error), at)
        except Exception as error:  # one broken source must not blind the others
            return Reading(None, f"the source broke: {error!r}", at)
