"""The life of an engine in the loop: what is saved, started, stopped, opened, in which order."""

import asyncio
from pathlib import Path

import pytest

from agent.errors import ActionError, SourceError
from agent.model import Goal, Phase, Remedy, Verb
from agent.reports import Exit, ExitClass, Started
from agent.sources.gpu import NvmlReading
from agent.spec import HostSpec
from agent.state import NodeState
from tests.agent.fakes import gone, look, nvml, unreadable
from tests.agent.node import DATA, UNIT, Node, engine


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
    assert node.gates.open == {}  # as it was: what has happened meanwhile is not known yet
    await node.tick()
    assert node.gates.open["main"] is True
    assert (node.acts, node.state.phase) == ([], Phase.SERVING)


async def test_new_boot_starts_the_engine_once(tmp_path: Path) -> None:
    before = Node(tmp_path)
    before.remember(phase=Phase.SERVING)
    node = Node(tmp_path, boot="boot-2")
    node.loop.begin()
    assert node.gates.open["main"] is False
    await node.converger.settled()
    node.engine.value = look(chat=None)
    await node.tick()
    assert node.journal[:2] == ["save", f"restart {UNIT}"]
    assert node.acts == [f"restart {UNIT}"]
    assert node.gates.was_open == set()  # not for a moment


async def test_a_drained_engine_stays_out_over_a_boot(tmp_path: Path) -> None:
    Node(tmp_path).remember(phase=Phase.DRAINED, by="alice", goal=Goal.MAINTENANCE)
    node = Node(tmp_path, boot="boot-2")
    node.loop.begin()
    await node.tick()
    assert (node.state.phase, node.acts) == (Phase.DRAINED, [])
    node.ask(Verb.UNDRAIN)
    await node.tick()
    assert node.acts == [f"restart {UNIT}"]


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


async def test_lost_gpu_stops_its_engine_until_the_gpu_is_back(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    started = Started(engine="main", digest="d", container="c", gpus=("GPU-0",), started=1.0)
    node.engine.value = look(started=started)
    node.nvml.value = nvml(error=15, error_text="GPU is lost")
    node.loop.begin()
    await node.tick()
    assert (node.state.phase, node.state.reason) == (Phase.DRAINED, "GpuLost")
    assert node.shown.conditions[0].reason == "GpuLost"
    assert node.acts == [f"kill -3 {UNIT}", f"stop {UNIT}"]  # nothing on it can finish
    assert node.shown.steps[0].waits == "NotArmed"
    node.nvml.value, node.engine.value = nvml(), gone()
    await node.tick()
    assert node.acts[2:] == [f"restart {UNIT}"]


async def test_a_vanished_gpu_keeps_its_engine_out_though_that_is_stopped(tmp_path: Path) -> None:
    started = Started(engine="main", digest="d", container="c", gpus=("GPU-0",), started=1.0)
    node = Node(tmp_path)
    node.remember(phase=Phase.SERVING)
    node.engine.value = look(started=started)
    node.nvml.value = nvml(0)
    node.loop.begin()
    await node.tick()
    assert (node.state.phase, node.state.reason) == (Phase.DRAINED, "GpuVanished")
    assert node.acts == [f"kill -3 {UNIT}", f"stop {UNIT}"]
    again = Node(tmp_path)  # killed meanwhile, it knows no more than what it has saved
    again.loop.begin()
    for agent in (node, again):
        agent.engine.value, agent.nvml.value = gone(), nvml(0)
        done = list(agent.acts)
        for _ in range(3):
            await agent.tick()
        assert (agent.state.phase, agent.state.reason) == (Phase.DRAINED, "GpuVanished")
        assert [(step.rung, step.waits) for step in agent.shown.steps] == [
            (Remedy.REBOOT, "NotArmed")
        ]
        assert agent.acts == done
    again.nvml.value = nvml()
    await again.tick()
    assert again.acts[-1:] == [f"restart {UNIT}"]


@pytest.mark.parametrize("blind", [NvmlReading(error=999, error_text="hung"), unreadable("gone")])
async def test_a_fault_is_not_over_because_the_driver_cannot_be_asked(
    node: Node, blind: NvmlReading | SourceError
) -> None:
    """Nor because the agent that saw it was killed."""
    facts = {"goal": Goal.FAULT, "by": "agent", "halted": True, "gpus": ("GPU-0",)}
    node.remember(phase=Phase.DRAINED, **facts)
    node.nvml.value = blind
    node.loop.begin()
    for _ in range(3):
        await node.tick()
    assert (node.state.phase, node.acts) == (Phase.DRAINED, [])
    assert node.state.message.endswith("the driver of the GPUs cannot be asked")
    node.nvml.value = nvml()
    await node.tick()
    assert node.acts == [f"restart {UNIT}"]


async def test_an_engine_that_left_the_spec_is_stopped_before_others_start(node: Node) -> None:
    node.store.save(NodeState(boot="boot-1", engines={"old": engine(phase=Phase.SERVING)}))
    node.journal.clear()
    node.gates.open["old"] = True
    node.units.held = asyncio.Event()
    node.loop.begin()
    assert node.gates.open["old"] is False
    for _ in range(5):
        await asyncio.sleep(0)
    assert node.journal == ["save", "stop stoker-engine@old.service"]
    node.units.held.set()
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
