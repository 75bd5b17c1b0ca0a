"""The agent's mind and what it is asked: requests and boots, as a table."""

import pytest

from agent.budget import restarts_left
from agent.decide import decide
from agent.model import Booted, Goal, Phase, Verb
from tests.agent.states import (
    ACT,
    DRAINING,
    NOW,
    OBSERVE,
    WELL,
    Row,
    asked,
    check,
    state,
)

TABLE: list[Row] = [
    ("quarantine over a boot", state(Phase.QUARANTINED), Booted(), ACT, Phase.QUARANTINED, False),
    ("boot", state(Phase.SERVING), Booted(), ACT, Phase.STARTING, True),
    ("boot, observing", state(Phase.SERVING), Booted(), OBSERVE, Phase.STARTING, True),
    ("drained over a boot", state(Phase.DRAINED), Booted(), ACT, Phase.DRAINED, False),
    (
        "boot during a drain",
        state(Phase.DRAINING, **DRAINING),
        Booted(),
        ACT,
        Phase.DRAINED,
        False,
    ),
    (
        "boot during our fault drain",
        state(Phase.DRAINING, goal=Goal.FAULT, deadline=NOW + 5),
        Booted(),
        ACT,
        Phase.STARTING,
        True,
    ),
    ("drain", state(Phase.SERVING), asked(Verb.DRAIN), OBSERVE, Phase.DRAINING, False),
    ("drain again", state(Phase.DRAINED), asked(Verb.DRAIN), ACT, Phase.DRAINED, False),
    ("undrain", state(Phase.DRAINED), asked(Verb.UNDRAIN), OBSERVE, Phase.STARTING, False),
    ("undrain nothing", state(Phase.SERVING), asked(Verb.UNDRAIN), ACT, Phase.SERVING, False),
    ("release", state(Phase.QUARANTINED), asked(Verb.UNDRAIN), ACT, Phase.STARTING, False),
    ("restart drains", state(Phase.SERVING), asked(Verb.RESTART), ACT, Phase.DRAINING, False),
    ("restart at once", state(Phase.STARTING), asked(Verb.RESTART), ACT, Phase.STARTING, True),
    ("restart drained", state(Phase.DRAINED), asked(Verb.RESTART), ACT, Phase.DRAINED, True),
    ("restart latched", state(Phase.QUARANTINED), asked(Verb.RESTART), ACT, Phase.STARTING, True),
]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_transition(row: Row) -> None:
    check(*row[1:])


def test_a_second_drain_does_not_move_the_deadline_out() -> None:
    first = decide(state(Phase.SERVING), asked(Verb.DRAIN), ACT, NOW).state
    second = decide(first, asked(Verb.RESTART), ACT, NOW + 30).state
    assert second.deadline == first.deadline == NOW + 60


@pytest.mark.parametrize(
    ("first", "second"), [(Verb.DRAIN, Verb.RESTART), (Verb.RESTART, Verb.DRAIN)]
)
def test_a_drain_and_a_restart_are_both_carried_out(first: Verb, second: Verb) -> None:
    engine = decide(state(Phase.SERVING), asked(first), ACT, NOW).state
    engine = decide(engine, asked(second), ACT, NOW + 1).state
    ended = decide(engine, WELL, ACT, NOW + 61)
    assert (ended.state.phase, ended.start, ended.state.by) == (Phase.DRAINED, True, "alice")
    assert ended.state.starts == ()
    assert decide(ended.state, WELL, ACT, NOW + 99).state.phase is Phase.DRAINED


def test_a_persons_drain_takes_over_the_agents() -> None:
    ours = state(Phase.DRAINED, goal=Goal.FAULT)
    taken = decide(ours, asked(Verb.DRAIN), ACT, NOW).state
    assert (taken.phase, taken.by, taken.since) == (Phase.DRAINED, "alice", ours.since)
    assert decide(taken, WELL, ACT, NOW).state.phase is Phase.DRAINED  # does not heal


@pytest.mark.parametrize("verb", [Verb.UNDRAIN, Verb.RESTART])
def test_a_released_latch_gives_a_full_budget(verb: Verb) -> None:
    spent = state(Phase.QUARANTINED, starts=(NOW - 3, NOW - 2, NOW - 1))
    released = decide(spent, asked(verb), ACT, NOW).state
    assert restarts_left(released, ACT, NOW) == 3
