"""One agent without a host: the loop with every edge replaced."""

from pathlib import Path

from agent.audit import Audit
from agent.casebook import Casebook
from agent.climber import Climber
from agent.converge import Converger
from agent.fleetlock import NoLock, Slot
from agent.loop import Loop
from agent.memory import Memory
from agent.model import EngineState, Requested, Verb
from agent.outs import Outs
from agent.picture import Picture
from agent.publishing import About
from agent.remedies import Remedies
from agent.snapshot import Published, Snapshot
from agent.sources import Edges, Sources
from agent.sources.host import HostReading
from agent.sources.kmsg import LogReading
from agent.spec import HostSpec
from agent.state import NodeState
from tests.agent.fakes import (
    GOOD_GATEWAY,
    FakeClock,
    FakeDriver,
    FakeGates,
    FakeRungs,
    FakeSource,
    FakeUnits,
    Journal,
    JournalStore,
    gone,
    nvml,
)

IMAGE = "x@sha256:" + "a" * 64
DATA = {"engine_image": IMAGE, "engine_model": "a/b", "engine_revision": "a" * 40}
SPEC = HostSpec.from_data("host", {**DATA, "agent_restart_budget": 2, "agent_failures": 1})
UNIT = "stoker-engine@main.service"


def engine(**facts: object) -> EngineState:
    return EngineState(**{"since": 0.0, "reason": "R", "message": "m", **facts})  # type: ignore[arg-type]


class Node:
    """One agent without a host."""

    def __init__(
        self,
        path: Path,
        spec: HostSpec = SPEC,
        boot: str = "boot-1",
        slot: Slot | None = None,
    ) -> None:
        self.journal: Journal = []
        self.clock = FakeClock()
        self.slot = slot or NoLock()
        self.furnish(path)
        self.published = Published()
        self.audit = path / "audit.jsonl"
        self.converger = Converger(self.units, self.gates, act_deadline=1.0)
        self.climber = Climber(self.rungs, self.slot, FakeDriver(self.journal), self.sleep)
        self.memory, audit = Memory(self.store, boot), Audit(self.audit)
        casebook = Casebook(spec, self.memory, audit, self.clock)
        self.inhibit = path / "inhibit"
        remedies = Remedies(
            spec, self.memory, casebook, self.climber, audit, self.inhibit, self.clock
        )
        sources, outs = Sources(self.edges, clock=self.clock), Outs(path / "outs.json")
        self.loop = Loop(
            spec=spec,
            about=About(version="v", digest="d"),
            memory=self.memory,
            picture=Picture(spec, self.memory, sources, casebook, remedies, outs, self.clock),
            casebook=casebook,
            remedies=remedies,
            converger=self.converger,
            published=self.published,
            audit=audit,
            clock=self.clock,
        )

    def furnish(self, path: Path) -> None:
        """Make the edges that act or remember; another world may make others."""
        self.units, self.gates = FakeUnits(self.journal), FakeGates()
        self.engine, self.nvml, self.pci = FakeSource(gone()), FakeSource(nvml()), FakeSource(1)
        self.pids = FakeSource({})
        self.rungs = FakeRungs(self.journal)
        self.store = JournalStore(path / "state.json", self.journal)

    @property
    def edges(self) -> Edges:
        return Edges(
            engines={"main": self.engine},  # type: ignore[dict-item]
            nvml=self.nvml,  # type: ignore[arg-type]
            pci=self.pci,  # type: ignore[arg-type]
            host=FakeSource(HostReading()),  # type: ignore[arg-type]
            log=FakeSource(LogReading(ok=True)),  # type: ignore[arg-type]
            pids=self.pids,  # type: ignore[arg-type]
            gateway=FakeSource(GOOD_GATEWAY),  # type: ignore[arg-type]
        )

    async def sleep(self, seconds: float) -> None:
        self.journal.append(f"sleep {seconds:.0f}")

    def remember(self, **facts: object) -> None:
        self.store.save(NodeState(boot="boot-1", engines={"main": engine(**facts)}))
        self.journal.clear()

    def ask(self, verb: Verb) -> EngineState:
        return self.loop.request("main", Requested(verb=verb, by="alice", reason="fan"))

    @property
    def acts(self) -> list[str]:
        """What was done to the world; what was only remembered left out."""
        return [line for line in self.journal if line != "save"]

    async def look_only(self, seconds: float = 1.0) -> None:
        """Tick, and leave acts under way."""
        self.clock.now += seconds
        await self.loop.tick()

    async def tick(self, seconds: float = 1.0) -> None:
        self.clock.now += seconds
        await self.loop.tick()
        await self.converger.settled()
        await self.climber.settled()

    @property
    def shown(self) -> Snapshot:
        assert self.published.latest is not None
        return self.published.latest

    @property
    def state(self) -> EngineState:
        return self.shown.engines["main"].state
