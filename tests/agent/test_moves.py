"""For how long new requests were refused, whatever the way back to serving."""

import pytest

from agent import moves
from agent.model import EngineState, Goal, Phase
from tests.agent.states import ACT, NOW, state


def serving(before: EngineState, now: float) -> EngineState:
    return moves.to(before, Phase.SERVING, "Answering", "it answered", now)


@pytest.mark.parametrize("goal", list(Goal))
def test_the_gap_is_from_the_shutting_of_the_gate_to_serving_again(goal: Goal) -> None:
    draining = moves.drain(state(Phase.SERVING), goal, "why", ACT, NOW)
    assert (draining.shut, draining.gap) == (NOW, None)
    again = moves.drain(draining, goal, "again", ACT, NOW + 1)
    starting = moves.wait(again, "Requested", "why", NOW + 5)
    served = serving(starting, NOW + 12.3456)
    assert (served.shut, served.gap) == (None, 12.346)


def test_an_engine_that_ends_has_a_gap_too() -> None:
    ended = moves.wait(state(Phase.SERVING), "Crashed", "it ended", NOW)
    assert serving(moves.started(ended, NOW + 1), NOW + 9).gap == 9.0


def test_the_last_gap_is_known_while_it_serves_and_in_the_next_one() -> None:
    served = serving(state(Phase.STARTING, shut=NOW - 4), NOW)
    assert served.gap == 4.0
    assert serving(served, NOW + 50).gap == 4.0
    assert moves.drain(served, Goal.RESTART, "why", ACT, NOW + 60).gap == 4.0


def test_who_has_never_served_has_none() -> None:
    assert serving(state(Phase.STARTING), NOW).gap is None
