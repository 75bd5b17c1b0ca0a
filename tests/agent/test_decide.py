"""The agent's mind and what it sees: every transition as a table."""

from itertools import pairwise

import msgspec
import pytest

from agent.budget import restarts_left
from agent.decide import decide
from agent.model import AGENT, Goal, Observed, Phase, Remedy, Verb
from tests.agent.states import (
    ACT,
    BLIND,
    DRAINING,
    ENDED,
    FAULT,
    FOR_RESTART,
    LOST,
    NOW,
    OBSERVE,
    SICK,
    WELL,
    Row,
    asked,
    check,
    state,
)

TABLE: list[Row] = [
    ("answers", state(Phase.STARTING), WELL, ACT, Phase.SERVING, False),
    ("loads", state(Phase.STARTING), Observed(running=True), ACT, Phase.STARTING, False),
    ("ended while loading", state(Phase.STARTING), ENDED, ACT, Phase.STARTING, True),
    (
        "ended hopelessly",
        state(Phase.STARTING),
        Observed(running=False, hopeless=True),
        ACT,
        Phase.QUARANTINED,
        False,
    ),
    (
        "start deadline",
        state(Phase.STARTING, since=NOW - 400, last_start=NOW - 400),
        Observed(running=True),
        ACT,
        Phase.STARTING,
        True,
    ),
    ("blind while loading", state(Phase.STARTING), BLIND, ACT, Phase.STARTING, False),
    ("fault keeps it out", state(Phase.STARTING), SICK, ACT, Phase.DRAINED, False),
    (
        "observer does not keep it out",
        state(Phase.STARTING),
        Observed(running=True, answering=True, remedy=Remedy.DRAIN),
        OBSERVE,
        Phase.SERVING,
        False,
    ),
    ("serves on", state(Phase.SERVING), WELL, ACT, Phase.SERVING, False),
    ("blind while serving", state(Phase.SERVING), BLIND, ACT, Phase.SERVING, False),
    ("crashed", state(Phase.SERVING), ENDED, ACT, Phase.STARTING, True),
    ("crashed, only observed", state(Phase.SERVING), ENDED, OBSERVE, Phase.STARTING, False),
    ("fault drains first", state(Phase.SERVING), FAULT, ACT, Phase.DRAINING, False),
    ("fault, only observed", state(Phase.SERVING), FAULT, OBSERVE, Phase.SERVING, False),
    (
        "nothing left to drain",
        state(Phase.SERVING),
        Observed(running=True, answering=False, remedy=Remedy.RESTART, reason="PortClosed"),
        ACT,
        Phase.STARTING,
        True,
    ),
    ("lost GPU", state(Phase.SERVING), LOST, ACT, Phase.DRAINING, False),
    (
        "lost GPU, and nothing left to drain",
        state(Phase.SERVING),
        Observed(running=True, answering=False, remedy=Remedy.QUARANTINE, reason="GpuLost"),
        ACT,
        Phase.QUARANTINED,
        False,
    ),
    ("GPU to be reset", state(Phase.SERVING), SICK, ACT, Phase.DRAINING, False),
    (
        "an engine that answers is drained before its quarantine",
        state(Phase.SERVING, starts=(NOW - 30, NOW - 20, NOW - 10)),
        FAULT,
        ACT,
        Phase.DRAINING,
        False,
    ),
    (
        "budget spent",
        state(Phase.SERVING, starts=(NOW - 30, NOW - 20, NOW - 10)),
        ENDED,
        ACT,
        Phase.QUARANTINED,
        False,
    ),
    (
        "budget regained",
        state(Phase.SERVING, starts=(NOW - 700, NOW - 650, NOW - 610)),
        ENDED,
        ACT,
        Phase.STARTING,
        True,
    ),
    (
        "backoff",
        state(Phase.SERVING, starts=(NOW - 3,)),
        ENDED,
        ACT,
        Phase.STARTING,
        False,
    ),
    (
        "backoff over",
        state(Phase.STARTING, starts=(NOW - 6,)),
        ENDED,
        ACT,
        Phase.STARTING,
        True,
    ),
    (
        "still busy",
        state(Phase.DRAINING, **DRAINING),
        Observed(running=True, in_flight=1),
        ACT,
        Phase.DRAINING,
        False,
    ),
    ("idle once", state(Phase.DRAINING, **DRAINING), WELL, ACT, Phase.DRAINING, False),
    ("idle twice", state(Phase.DRAINING, idle=1, **DRAINING), WELL, ACT, Phase.DRAINED, False),
    (
        "late",
        state(Phase.DRAINING, goal=Goal.MAINTENANCE, deadline=NOW - 1, by="alice"),
        Observed(running=True, in_flight=9),
        ACT,
        Phase.DRAINED,
        False,
    ),
    (
        "late and blind",
        state(Phase.DRAINING, goal=Goal.MAINTENANCE, deadline=NOW - 1, by="alice"),
        BLIND,
        ACT,
        Phase.DRAINED,
        False,
    ),
    (
        "drained for a restart",
        state(Phase.DRAINING, idle=1, by=AGENT, **FOR_RESTART),
        WELL,
        ACT,
        Phase.STARTING,
        True,
    ),
    (
        "asked restart beyond the budget",
        state(
            Phase.DRAINING, idle=1, by="alice", starts=(NOW - 3, NOW - 2, NOW - 1), **FOR_RESTART
        ),
        WELL,
        ACT,
        Phase.STARTING,
        True,
    ),
    (
        "drained for quarantine",
        state(Phase.DRAINING, idle=1, goal=Goal.QUARANTINE, deadline=NOW + 5),
        WELL,
        ACT,
        Phase.QUARANTINED,
        False,
    ),
    (
        "ended during a drain",
        state(Phase.DRAINING, **DRAINING),
        ENDED,
        ACT,
        Phase.DRAINED,
        False,
    ),
    (
        "drained and to be replaced",
        state(Phase.DRAINING, idle=1, goal=Goal.REPLACE, deadline=NOW + 5, by="alice"),
        WELL,
        OBSERVE,
        Phase.DRAINED,
        True,
    ),
    (
        "observer takes our drain back",
        state(Phase.DRAINING, idle=1, goal=Goal.QUARANTINE, deadline=NOW + 5),
        WELL,
        OBSERVE,
        Phase.STARTING,
        False,
    ),
    (
        "blind before the deadline",
        state(Phase.DRAINING, idle=1, **DRAINING),
        BLIND,
        ACT,
        Phase.DRAINING,
        False,
    ),
    ("a person's drain stays", state(Phase.DRAINED, by="alice"), WELL, ACT, Phase.DRAINED, False),
    (
        "our fault drain heals",
        state(Phase.DRAINED, goal=Goal.FAULT),
        WELL,
        ACT,
        Phase.STARTING,
        False,
    ),
    (
        "our fault drain lasts",
        state(Phase.DRAINED, goal=Goal.FAULT),
        SICK,
        ACT,
        Phase.DRAINED,
        False,
    ),
    (
        "our fault drain does not heal unseen",
        state(Phase.DRAINED, goal=Goal.FAULT),
        BLIND,
        ACT,
        Phase.DRAINED,
        False,
    ),
    (
        "our fault drain gets worse",
        state(Phase.DRAINED, goal=Goal.FAULT),
        LOST,
        ACT,
        Phase.QUARANTINED,
        False,
    ),
    (
        "a person's drain does not get worse",
        state(Phase.DRAINED, goal=Goal.MAINTENANCE, by="alice"),
        LOST,
        ACT,
        Phase.DRAINED,
        False,
    ),
    (
        "a drained engine that ends stays down",
        state(Phase.DRAINED, goal=Goal.MAINTENANCE, by="alice"),
        ENDED,
        ACT,
        Phase.DRAINED,
        False,
    ),
    ("quarantine stays", state(Phase.QUARANTINED), WELL, ACT, Phase.QUARANTINED, False),
    (
        "released, found stopped",
        state(Phase.STARTING, since=NOW, by="alice"),
        ENDED,
        OBSERVE,
        Phase.STARTING,
        True,
    ),
]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_transition(row: Row) -> None:
    check(*row[1:])


def test_backoff_doubles_and_is_capped() -> None:
    policy = msgspec.structs.replace(ACT, budget=100, window=1e6, backoff_cap=20.0)
    engine, now = state(Phase.SERVING, since=0.0, last_start=0.0), NOW
    starts: list[float] = []
    while len(starts) < 6:
        decision = decide(engine, ENDED, policy, now)
        engine = decision.state
        if decision.start:
            starts.append(now)
        now += 0.5
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert pauses == [5.0, 10.0, 20.0, 20.0, 20.0]


def test_restart_wanted_during_the_backoff_is_not_forgotten() -> None:
    hung = Observed(running=True, answering=False, remedy=Remedy.RESTART, reason="PortClosed")
    engine = decide(state(Phase.SERVING, starts=(NOW - 1,)), hung, ACT, NOW).state
    assert engine.phase is Phase.STARTING
    assert not decide(engine, hung, ACT, NOW + 3).start
    assert decide(engine, hung, ACT, NOW + 4).start
    assert not decide(engine, BLIND, ACT, NOW + 4).start


def test_quarantine_after_a_drain_says_why() -> None:
    draining = decide(state(Phase.SERVING), LOST, ACT, NOW).state
    out = decide(draining, LOST, ACT, NOW + 60).state
    assert (out.phase, out.reason) == (Phase.QUARANTINED, "GpuLost")


def test_a_great_budget_does_not_break_the_backoff() -> None:
    policy = msgspec.structs.replace(ACT, budget=5000)
    starts = (NOW - 301,) * 3000
    assert decide(state(Phase.SERVING, starts=starts), ENDED, policy, NOW).start


def test_drain_ends_in_time_although_the_clock_stepped_back() -> None:
    draining = decide(state(Phase.SERVING), asked(Verb.DRAIN), ACT, NOW).state
    busy = Observed(running=True, in_flight=5)
    draining = decide(draining, busy, ACT, NOW - 5000).state
    assert decide(draining, busy, ACT, NOW - 5000 + 61).state.phase is Phase.DRAINED


def test_advice_is_what_the_agent_would_do() -> None:
    assert decide(state(Phase.SERVING), FAULT, OBSERVE, NOW).advice is Remedy.RESTART
    assert decide(state(Phase.SERVING), ENDED, OBSERVE, NOW).advice is Remedy.RESTART
    assert decide(state(Phase.SERVING), LOST, OBSERVE, NOW).advice is Remedy.QUARANTINE


def test_restarts_left() -> None:
    assert restarts_left(state(Phase.SERVING, starts=(NOW - 5,)), ACT, NOW) == 2
    assert restarts_left(state(Phase.SERVING, starts=(NOW - 605,)), ACT, NOW) == 3
