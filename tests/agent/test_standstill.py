"""When a rung may begin: whom it touches, and what those engines must have come to."""

import pytest

from agent.ladder import Step
from agent.model import AGENT, EngineState, Goal, Phase, Remedy
from agent.standstill import by_person, held, needed, person, touched
from tests.agent.node import engine

ENGINES = {
    "cpu": engine(),
    "one": engine(gpus=("A",)),
    "two": engine(gpus=("B", "C")),
}


def step(subject: str, rung: Remedy = Remedy.RESET) -> Step:
    return Step(rung=rung, subject=subject, reason="R", message="m")


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        ("gpu:A", {"one"}),
        ("gpu:B", {"two"}),
        ("gpu:D", set()),  # nobody's
        ("gpu:unknown", {"one", "two"}),  # it may be any
        ("fabric", {"one", "two"}),  # a reset of all GPUs spares no engine that has one
        ("node", {"cpu", "one", "two"}),
    ],
)
def test_whom_a_step_touches(subject: str, names: set[str]) -> None:
    assert touched(step(subject), ENGINES) == names


def test_what_is_needed_is_what_an_engine_that_can_come_back_depends_on() -> None:
    assert {"gpu:A", "gpu:B", "fabric", "node"} <= needed(ENGINES, ())
    assert not {"gpu:A", "gpu:D"} & needed(ENGINES, {"one"})  # it goes on elsewhere
    latched = {**ENGINES, "two": engine(gpus=("B", "C"), phase=Phase.QUARANTINED)}
    assert not {"gpu:B", "fabric"} & needed(latched, ())
    assert needed({}, ()) == frozenset()


DRAINED, OUT = Phase.DRAINED, Phase.QUARANTINED


@pytest.mark.parametrize(
    ("one", "running", "why"),
    [
        (engine(gpus=("A",), phase=DRAINED), False, ""),
        (engine(gpus=("A",), phase=OUT), False, ""),
        (engine(gpus=("A",), phase=DRAINED), True, "EnginesStopping"),
        (engine(gpus=("A",), phase=DRAINED), None, "EnginesStopping"),  # not seen
        (engine(gpus=("A",), phase=OUT), True, "EnginesStopping"),
        (engine(gpus=("A",), phase=Phase.SERVING), True, "EnginesDraining"),
        (engine(gpus=("A",), phase=Phase.DRAINING), True, "EnginesDraining"),
        (engine(gpus=("A",), phase=Phase.STARTING), False, "EnginesDraining"),  # about to run
    ],
)
def test_a_step_waits_for_the_engines_that_it_touches(
    one: EngineState, running: bool | None, why: str
) -> None:
    engines = {"one": one, "other": engine(gpus=("B",), phase=Phase.SERVING)}
    assert held(step("gpu:A"), engines, {"one": running, "other": True}) == why
    assert held(step("gpu:D"), engines, {}) == ""


def test_an_engine_that_was_never_looked_at_is_not_known_to_have_stopped() -> None:
    assert held(step("gpu:A"), {"one": engine(gpus=("A",), phase=DRAINED)}, {}) == "EnginesStopping"


@pytest.mark.parametrize(
    ("phase", "goal", "by", "hands"),
    [
        (Phase.DRAINED, Goal.MAINTENANCE, "alice", True),
        (Phase.DRAINING, Goal.MAINTENANCE, "alice", True),
        (Phase.DRAINING, Goal.REPLACE, "deploy", True),
        (Phase.DRAINING, Goal.RESTART, "alice", False),  # it comes back by itself
        (Phase.STARTING, None, "alice", False),
        (Phase.DRAINED, Goal.FAULT, AGENT, False),
        (Phase.DRAINING, Goal.FAULT, AGENT, False),
    ],
)
def test_what_a_person_has_drained_is_that_persons(
    phase: Phase, goal: Goal | None, by: str, hands: bool
) -> None:
    one = engine(gpus=("A",), phase=phase, goal=goal, by=by)
    engines = {"a": engine(gpus=("B",)), "one": one}
    assert by_person(one) is hands
    for subject in ("gpu:A", "node", "fabric"):
        assert (person(step(subject), engines) == "PersonAtWork") is hands
    assert person(step("gpu:B"), engines) == ""
