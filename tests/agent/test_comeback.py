"""What clients are told while an engine is shut: its own measured start, less what has passed."""

from pathlib import Path

import pytest

from agent import comeback
from agent.converge import FileGates
from agent.decide import decide
from agent.model import EngineState, Goal, Observed, Phase
from agent.paths import Paths
from tests.agent.node import engine
from tests.agent.states import ACT
from tests.fleet.samples import spec

NOW = 1000.0


def _state(phase: Phase, **more: object) -> EngineState:
    return engine(**{"phase": phase, "since": NOW, "last_start": NOW, "took": 40.0} | more)


@pytest.mark.parametrize(
    ("state", "now", "told"),
    [
        (_state(Phase.STARTING), NOW, 45),
        (_state(Phase.STARTING), NOW + 31, 10),
        (_state(Phase.STARTING), NOW + 300, 1),
        (_state(Phase.STARTING, last_start=0.0), NOW + 300, 45),
        (_state(Phase.DRAINING, goal=Goal.RESTART), NOW + 5, 45),
        (_state(Phase.DRAINING, goal=Goal.MAINTENANCE), NOW, None),
        (_state(Phase.DRAINED), NOW, None),
        (_state(Phase.SERVING), NOW, None),
        (_state(Phase.STARTING, took=None), NOW, None),
        (_state(Phase.STARTING, took=9000.0), NOW, 3600),
    ],
)
def test_what_is_told(state: EngineState, now: float, told: int | None) -> None:
    engines = spec().engines
    assert comeback.expected("main", engines, {"main": state}, now) == told


def test_of_replicas_the_first_that_is_back_counts() -> None:
    engines = spec(engines={"a": {}, "b": {"port": 8081}}, driver_gpu_count=2).engines
    states = {"a": _state(Phase.STARTING), "b": _state(Phase.STARTING, took=8.0)}
    assert comeback.expected("a", engines, states, NOW) == 10


def test_a_start_is_measured_when_the_engine_answers_and_only_if_it_was_started() -> None:
    answers = Observed(running=True, answering=True)
    started = _state(Phase.STARTING, took=None)
    assert decide(started, answers, ACT, NOW + 33).state.took == 33
    undrained = _state(Phase.STARTING, last_start=5.0)
    assert decide(undrained, answers, ACT, NOW + 1).state.took == 40


def test_one_file_at_a_time_tells_it(tmp_path: Path) -> None:
    gates, directory = FileGates(Paths(run=tmp_path)), tmp_path / "gates"
    directory.mkdir()
    for told, files in ((30, ["main.back-30"]), (5, ["main.back-5"]), (None, [])):
        gates.expect("main", told)
        assert [one.name for one in directory.iterdir()] == files
