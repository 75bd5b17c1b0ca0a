"""Stand-ins for the agent's edges: they remember what was asked of them, in one journal."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from agent.certificate import Validity
from agent.engines.base import Load
from agent.errors import ActionError, SourceError
from agent.reports import Exit, Started
from agent.slots import Slots
from agent.sources.engine import Answer, EngineReading
from agent.sources.gateway import GatewayReading
from agent.sources.gpu import Gpu, NvmlReading
from agent.sources.unit import UnitState
from agent.state import NodeState
from agent.store import Store

Journal = list[str]


class FakeRungs:
    """Resets and reboots that are only remembered; `error` makes them fail."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.error = ""

    async def reset(self, subject: str) -> None:
        self.journal.append(f"reset {subject}")
        if self.error:
            raise ActionError(self.error)

    async def reboot(self) -> None:
        self.journal.append("reboot")
        if self.error:
            raise ActionError(self.error)


class FakeDriver:
    """A hold on the driver, as far as the journal shows it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    async def close(self) -> None:
        self.journal.append("let go")

    def resume(self) -> None:
        self.journal.append("look again")


class FakeDisk:
    """See `keeper.Disk`; nothing can be saved on it while it is `full`."""

    def __init__(self) -> None:
        self.slots = self.saved = Slots()
        self.full = False

    def save(self) -> bool:
        if not self.full:
            self.saved = self.slots
        return not self.full


class FakeClock:
    """A clock that only moves when told."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.fails = False

    def __call__(self) -> float:
        if self.fails:
            raise RuntimeError("the clock is broken")
        return self.now


class FakeUnits:
    """systemd without units: what is restarted runs, what is stopped does not.

    While `held` is set, acts begin but do not end.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.up: dict[str, bool] = {}
        self.fails = False
        self.held: asyncio.Event | None = None
        self.reloads = 0
        self.watched: dict[str, Callable[[str], None]] = {}

    async def running(self, unit: str) -> bool:
        return self.up.get(unit, False)

    async def state(self, unit: str) -> UnitState:
        return UnitState(active="active" if self.up.get(unit) else "inactive")

    def watch(self, units: Iterable[str], changed: Callable[[str], None]) -> None:
        self.watched |= dict.fromkeys(units, changed)

    async def start(self, unit: str, deadline: float) -> None:
        self.journal.append(f"start {unit}")
        await self._hold()
        if self.fails:
            raise ActionError(f"start {unit}: no")
        self.up[unit] = True

    async def reboot(self) -> None:
        self.journal.append("reboot")

    async def restart(self, unit: str, deadline: float) -> None:
        self.journal.append(f"restart {unit}")
        await self._hold()
        if self.fails:
            raise ActionError(f"systemctl restart {unit}: no")
        self.up[unit] = True

    async def kill(self, unit: str, signal: int) -> None:
        self.journal.append(f"kill -{signal} {unit}")
        if self.fails:
            raise ActionError(f"kill {unit}: no")

    async def stop(self, unit: str, deadline: float) -> None:
        self.journal.append(f"stop {unit}")
        await self._hold()
        self.up[unit] = False

    async def _hold(self) -> None:
        if self.held is not None:
            await self.held.wait()


class FakeGates:
    """Gates that are only remembered."""

    def __init__(self) -> None:
        self.open: dict[str, bool] = {}
        self.was_open: set[str] = set()
        self.expected: dict[str, int | None] = {}
        self.stuck = ""

    def set(self, engine: str, *, is_open: bool) -> None:
        if self.stuck:
            raise ActionError(self.stuck)
        self.open[engine] = is_open
        if is_open:
            self.was_open.add(engine)

    def expect(self, engine: str, seconds: int | None) -> None:
        self.expected[engine] = seconds


# Its certificate is good for as long as anybody runs this.
GOOD_GATEWAY = GatewayReading(certificate=Validity(begins=0.0, ends=4e9))


class FakeSource:
    """A source that shows `value`, or fails with it; `meanwhile` happens while it looks."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def read(self) -> object:
        if self.meanwhile is not None:
            await self.meanwhile()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


class JournalStore(Store):
    """The real store, that also writes into the journal what it was given to keep."""

    def __init__(self, path: Path, journal: Journal) -> None:
        super().__init__(path)
        self.journal = journal
        self.broken = False

    def save(self, state: NodeState) -> None:
        if self.broken:
            raise ActionError("no space left")
        self.journal.append("save")
        super().save(state)


def look(
    *,
    running: bool = True,
    health: Answer = Answer.OK,
    chat: Answer | None = Answer.OK,
    in_flight: int | None = 0,
    started: Started | None = None,
    ended: Exit | None = None,
    loaded: bool = False,
) -> EngineReading:
    """Return one look at an engine; by default one that serves and is idle."""
    return EngineReading(
        running=running,
        health=health,
        chat=chat,
        load=Load(running=in_flight, waiting=0 if in_flight is not None else None),
        progress=None,
        started=started,
        exit=ended,
        loaded=loaded,
    )


def gone(ended: Exit | None = None) -> EngineReading:
    """Return one look at an engine that does not run."""
    return look(running=False, health=Answer.REFUSED, chat=None, in_flight=None, ended=ended)


def nvml(count: int = 1, **facts: object) -> NvmlReading:
    """Return a poll of `count` GPUs that are well, each with `facts` laid over."""
    gpus = tuple(
        Gpu(**{"index": i, "uuid": f"GPU-{i}", "pci": f"00000000:0{i}:00.0", **facts})  # type: ignore[arg-type]
        for i in range(count)
    )
    return NvmlReading(driver="595.91.07", gpus=gpus)


unreadable: Callable[[str], SourceError] = SourceError
