"""The loop with its edges replaced: what is saved, started, stopped and opened, in which order."""

from pathlib import Path

import pytest

from agent.audit import Audit
from agent.converge import Converger
from agent.loop import Loop
from agent.model import EngineState, NodeState, Phase, Requested, Verb
from agent.reports import Exit, ExitClass, Started
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
    look,
    nvml,
    unreadable,
)

IMAGE = "x@sha256:" + "a" * 64
DATA = {"engine_image": IMAGE, "engine_model": "a/b", "engine_revision": "a" * 40}
SPEC = HostSpec.from_data("host", {**DATA, "agent_restart_budget": 2, "agent_failures": 1})
UNIT = "stoker-engine@main.service"


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
        engine = EngineState(**{"since": 0.0, "reason": "R", "message": "m", **facts})  # type: ignore[arg-type]
        self.store.save(NodeState(boot="boot-1", engines={"main": engine}))
        self.journal.clear()

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


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_new_engine_is_started_and_serves_once_it_answers(node: Node) -> None:
    node.loop.begin()
    await node.converger.settled()
    assert node.journal == ["save", f"restart {UNIT}"]
    node.engine.value = look(chat=None)
    await node.tick()
    assert (node.state.phase, node.gates.open["main"]) == (Phase.STARTING, False)
    node.engine.value = look()
    await node.tick()
    assert (node.state.phase, node.gates.open["main"]) == (Phase.SERVING, True)


async def test_start_is_remembered_before_it_is_done(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.loop.begin()
    await node.tick()
    assert node.journal == ["save", f"restart {UNIT}"]
    assert node.state.starts == (node.clock.now,)


async def test_what_cannot_be_remembered_is_not_done(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.store.broken = True
    node.loop.begin()
    await node.tick()
    assert node.journal == []


async def test_spent_budget_ends_in_quarantine_with_gate_closed_and_unit_stopped(
    node: Node,
) -> None:
    node.remember(phase=Phase.SERVING)
    node.loop.begin()
    for _ in range(4):
        await node.tick(100.0)
    assert node.state.phase is Phase.QUARANTINED
    assert node.journal.count(f"restart {UNIT}") == 2
    node.engine.value = look()
    await node.tick()
    assert node.journal[-1] == f"stop {UNIT}"
    assert node.gates.open["main"] is False


async def test_agent_that_starts_again_leaves_a_serving_engine_alone(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.engine.value = look(in_flight=7)
    node.loop.begin()
    assert node.gates.open["main"] is True
    await node.tick()
    assert (node.journal, node.state.phase) == ([], Phase.SERVING)


async def test_new_boot_starts_the_engine_once(tmp_path: Path) -> None:
    before = Node(tmp_path)
    before.remember(phase=Phase.SERVING)
    node = Node(tmp_path, boot="boot-2")
    node.loop.begin()
    assert node.gates.open["main"] is False
    await node.converger.settled()
    node.engine.value = look(chat=None)
    await node.tick()
    assert node.journal == ["save", f"restart {UNIT}"]


async def test_drain_waits_for_requests_in_flight(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.engine.value = look(in_flight=1)
    node.loop.begin()
    node.loop.request("main", Requested(verb=Verb.DRAIN, by="alice", reason="fan"))
    assert node.gates.open["main"] is False
    await node.tick()
    assert node.state.phase is Phase.DRAINING
    node.engine.value = look(in_flight=0)
    await node.tick()
    await node.tick()
    assert (node.state.phase, node.state.by) == (Phase.DRAINED, "alice")
    assert '"by":"alice"' in node.audit.read_text()


async def test_config_error_is_never_tried_again(node: Node) -> None:
    node.remember(phase=Phase.STARTING)
    ended = Exit(
        engine="main",
        digest="d",
        kind=ExitClass.CONFIG,
        reason="UnknownFlag",
        message="no such flag",
        code=2,
        lines=("error: --nope",),
        started=node.clock.now,
        ended=node.clock.now,
    )
    node.engine.value = gone(ended)
    node.loop.begin()
    await node.tick()
    assert (node.state.phase, node.state.reason) == (Phase.QUARANTINED, "UnknownFlag")
    assert f"restart {UNIT}" not in node.journal


async def test_lost_gpu_quarantines_its_engine(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    started = Started(engine="main", digest="d", container="c", gpus=("GPU-0",), started=1.0)
    node.engine.value = look(started=started)
    node.nvml.value = nvml(error=15, error_text="GPU is lost")
    node.loop.begin()
    for _ in range(4):
        await node.tick()
    assert (node.state.phase, node.state.reason) == (Phase.QUARANTINED, "GpuLost")
    assert node.shown.conditions[0].reason == "GpuLost"


async def test_blind_sources_change_nothing(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    for source in (node.engine, node.nvml, node.pci):
        source.value = unreadable("no answer")
    node.loop.begin()
    for _ in range(50):
        await node.tick()
    assert (node.journal, node.state.phase) == ([], Phase.SERVING)
    assert node.gates.open["main"] is True
    assert "gpu_state" in node.shown.checks_unknown


async def test_garbled_state_is_put_aside_and_what_runs_is_taken_as_found(node: Node) -> None:
    path = node.audit.with_name("state.json")
    path.write_text("{garbled")
    node.engine.value = look()
    node.loop.begin()
    await node.tick()
    assert node.state.phase is Phase.SERVING
    assert path.with_suffix(".garbled").read_text() == "{garbled"
