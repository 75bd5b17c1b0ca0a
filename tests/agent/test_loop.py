"""The loop with its edges replaced: what is saved, started, stopped and opened, in which order."""

import asyncio
from pathlib import Path

import pytest

from agent.audit import Audit
from agent.converge import Converger
from agent.errors import ActionError
from agent.loop import Loop
from agent.model import EngineState, Goal, NodeState, Phase, Remedy, Requested, Verb
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
    assert node.gates.open["main"] is False  # but nobody is sent to an engine that has ended


async def test_a_restart_that_cannot_be_remembered_is_refused(node: Node) -> None:
    node.remember(phase=Phase.QUARANTINED)
    node.loop.begin()
    node.store.broken = True
    with pytest.raises(ActionError, match="the state cannot be saved; engine main is as it was"):
        node.ask(Verb.RESTART)
    await node.tick()
    assert (node.journal, node.state.phase) == ([], Phase.QUARANTINED)


async def test_a_drain_that_cannot_be_remembered_is_done_all_the_same(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.engine.value = look()
    node.loop.begin()
    node.store.broken = True
    assert node.ask(Verb.DRAIN).phase is Phase.DRAINING
    assert node.gates.open["main"] is False


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
    assert node.gates.was_open == set()  # not for a moment


async def test_a_drained_engine_stays_out_over_a_boot(tmp_path: Path) -> None:
    Node(tmp_path).remember(phase=Phase.DRAINED, by="alice", goal=Goal.MAINTENANCE)
    node = Node(tmp_path, boot="boot-2")
    node.loop.begin()
    await node.tick()
    assert (node.state.phase, node.journal) == (Phase.DRAINED, [])
    node.ask(Verb.UNDRAIN)
    await node.tick()
    assert node.journal == ["save", "save", f"restart {UNIT}"]


async def test_drain_waits_for_requests_in_flight(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.engine.value = look(in_flight=1)
    node.loop.begin()
    node.ask(Verb.DRAIN)
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
    assert f"restart {UNIT}" not in node.journal


async def test_during_an_act_nothing_is_known(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.loop.begin()
    node.units.held = asyncio.Event()
    for _ in range(5):  # the engine has ended, and its restart takes long
        await node.look_only()
        await asyncio.sleep(0)
    assert node.journal == ["save", f"restart {UNIT}"]
    node.units.held.set()


async def test_a_look_that_an_act_has_overtaken_tells_nothing(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.loop.begin()
    node.units.held = held = asyncio.Event()
    await node.look_only()

    async def act_ends() -> None:
        held.set()
        await node.converger.settled()

    node.engine.meanwhile = act_ends  # but the look says: it does not run
    await node.look_only()
    assert not node.converger.busy("main")
    assert node.journal == ["save", f"restart {UNIT}"]


async def test_a_look_that_a_request_has_overtaken_tells_nothing(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.engine.value = look(in_flight=0)
    node.loop.begin()

    async def somebody_drains() -> None:
        node.clock.now += 0.1
        node.ask(Verb.DRAIN)
        node.engine.meanwhile = None

    node.engine.meanwhile = somebody_drains
    phases = []
    for _ in range(3):
        await node.tick()
        phases.append(node.state.phase)
    # The first look was from before the gate was shut: it does not count as an idle one.
    assert phases == [Phase.DRAINING, Phase.DRAINING, Phase.DRAINED]


async def test_a_start_asked_for_during_a_stop_follows_it(node: Node) -> None:
    node.remember(phase=Phase.QUARANTINED)
    node.engine.value = look()
    node.loop.begin()
    node.units.held = asyncio.Event()
    await node.look_only()
    await asyncio.sleep(0)
    for _ in range(3):
        node.ask(Verb.RESTART)
        await node.look_only()
    assert node.journal.count(f"restart {UNIT}") == 0
    node.units.held.set()
    await node.converger.settled()
    assert [line for line in node.journal if line != "save"] == [f"stop {UNIT}", f"restart {UNIT}"]
    assert not node.converger.busy("main")


async def test_a_start_that_fails_is_tried_again_within_the_budget(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.units.fails = True
    node.loop.begin()
    for _ in range(5):
        await node.tick(100.0)
    assert node.journal.count(f"restart {UNIT}") == 2
    assert node.state.phase is Phase.QUARANTINED


async def test_an_engine_that_left_the_spec_is_stopped_before_others_start(node: Node) -> None:
    node.store.save(NodeState(boot="boot-1", engines={"old": engine(phase=Phase.SERVING)}))
    node.journal.clear()
    node.gates.open["old"] = True
    node.loop.begin()
    assert node.gates.open["old"] is False
    await node.converger.settled()
    assert node.journal == ["save", "stop stoker-engine@old.service", f"restart {UNIT}"]


async def test_an_observer_obeys_and_does_nothing_else(tmp_path: Path) -> None:
    node = Node(tmp_path, spec=HostSpec.from_data("h", {**DATA, "agent_remediation": "observe"}))
    node.remember(phase=Phase.SERVING)
    node.loop.begin()
    for _ in range(5):
        await node.tick()
    assert f"restart {UNIT}" not in node.journal
    assert node.shown.engines["main"].advice is Remedy.RESTART
    node.ask(Verb.RESTART)
    await node.tick()
    assert f"restart {UNIT}" in node.journal


async def test_a_request_does_not_make_a_dead_loop_look_alive(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.engine.value = look()
    node.loop.begin()
    node.ask(Verb.DRAIN)
    assert node.published.latest is None  # nothing was looked at yet
    await node.tick()
    ticked = node.shown.at
    node.clock.now += 60
    node.ask(Verb.UNDRAIN)
    assert (node.shown.at, node.state.phase) == (ticked, Phase.STARTING)


class StopLoop(Exception):  # noqa: N818 - not an error
    """Ends `run` from within its pause."""


async def test_a_tick_that_breaks_costs_that_tick_only(
    node: Node, caplog: pytest.LogCaptureFixture
) -> None:
    node.remember(phase=Phase.SERVING)
    node.engine.value = look()
    node.loop.begin()
    told: list[str] = []
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        node.clock.now += seconds
        if len(pauses) == 2:
            node.clock.fails = True
        if len(pauses) == 3:
            node.clock.fails = False
        if len(pauses) == 4:
            raise StopLoop

    with pytest.raises(StopLoop):
        await node.loop.run(told.append, pause)
    assert told == ["SERVING: engine main: m"] * 3  # one of the four was not told
    assert "this tick broke" in caplog.text
    assert all(0.05 <= seconds <= 1.0 for seconds in pauses)


async def test_one_broken_source_does_not_blind_the_others(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.engine.value = look()
    node.nvml.value = ZeroDivisionError("a bug")
    node.loop.begin()
    await node.tick()
    assert node.state.phase is Phase.SERVING
    assert "ZeroDivisionError" in node.shown.gpus_problem
