"""One agent without a host: the loop with every edge replaced."""

from pathlib import Path

from agent.audit import Audit
from agent.converge import Converger
from agent.loop import Loop
from agent.model import EngineState, NodeState, Requested, Verb
from agent.snapshot import Published, Snapshot
from agent.sources import Sources
from agent.spec import HostSpec
from tests.agent.fakes import (
    FakeClock,
    FakeGates,
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

    def __init__(self, path: Path, spec: HostSpec = SPEC, boot: str = "boot-1") -> None:
        self.journal: Journal = []
        self.clock = FakeClock()
        self.units, self.gates = FakeUnits(self.journal), FakeGates()
        self.engine, self.nvml, self.pci = FakeSource(gone()), FakeSource(nvml()), FakeSource(1)
        self.store = JournalStore(path / "state.json", self.journal)
        self.published = Published()
        self.audit = path / "audit.jsonl"
        self.converger = Converger(self.units, self.gates, act_deadline=1.0)
        self.loop = Loop(
            spec=spec,
            spec_digest="d",
            version="v",
            boot=boot,
            sources=Sources({"main": self.engine}, self.nvml, self.pci),  # type: ignore[arg-type, dict-item]
            store=self.store,
            converger=self.converger,
            published=self.published,
            audit=Audit(self.audit),
            clock=self.clock,
        )

    def remember(self, **facts: object) -> None:
        self.store.save(NodeState(boot="boot-1", engines={"main": engine(**facts)}))
        self.journal.clear()

    def ask(self, verb: Verb) -> EngineState:
        return self.loop.request("main", Requested(verb=verb, by="alice", reason="fan"))

    async def look_only(self, seconds: float = 1.0) -> None:
        """Tick, and leave acts under way."""
        self.clock.now += seconds
        await self.loop.tick()

    async def tick(self, seconds: float = 1.0) -> None:
        self.clock.now += seconds
        await self.loop.tick()
        await self.converger.settled()

    @property
    def shown(self) -> Snapshot:
        assert self.published.latest is not None
        return self.published.latest

    @property
    def state(self) -> EngineState:
        return self.shown.engines["main"].state
