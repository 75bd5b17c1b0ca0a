"""The loop where the world is unkind: blind, overtaken, busy, broken."""

import asyncio
from pathlib import Path

import pytest

from agent import balancer
from agent.model import Phase, Verb
from tests.agent.fakes import look, unreadable
from tests.agent.node import UNIT, Node


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_blind_sources_change_nothing(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    for source in (node.engine, node.nvml, node.pci):
        source.value = unreadable("no answer")
    node.loop.begin()
    for _ in range(50):
        await node.tick()
    assert (node.acts, node.state.phase) == ([], Phase.SERVING)
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
    for _ in range(5):  # the engine has ended, and its restart takes longer than any backoff
        await node.look_only(100.0)
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
    await node.look_only(100.0)
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


async def test_a_gate_that_cannot_be_opened_is_not_called_serving(node: Node) -> None:
    node.remember(phase=Phase.SERVING)
    node.engine.value = look()
    node.gates.stuck = "/run/stoker/gates: No space left on device"
    node.loop.begin()
    await node.tick()
    assert not node.shown.engines["main"].serving
    assert balancer.told(node.shown, None).startswith("down drain")
    assert "GateStuck" in balancer.told(node.shown, "main")
    node.gates.stuck = ""
    await node.tick()
    assert node.shown.engines["main"].serving
    assert balancer.told(node.shown, None) == "up ready 100%\n"


@pytest.mark.parametrize("steps", range(5))
async def test_a_stop_that_comes_with_news_is_a_stop(node: Node, steps: int) -> None:
    """When the host shuts down, engines end at the very moment at which the agent is told to."""
    node.remember(phase=Phase.SERVING)
    node.loop.begin()
    turned = asyncio.Event()
    turning = asyncio.create_task(node.loop.run(lambda _: turned.set()))
    await turned.wait()
    await asyncio.sleep(0.01)  # into the pause
    node.loop.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    turning.cancel()
    await asyncio.wait([turning], timeout=1)
    assert turning.cancelled()
