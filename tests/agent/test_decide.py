"""The agent's mind: every transition as a table, and its promises on random walks."""

import os
import random
from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest

from agent.budget import restarts_left
from agent.decide import decide
from agent.model import (
    AGENT,
    Booted,
    Decision,
    EngineState,
    Event,
    Goal,
    Observed,
    Phase,
    Policy,
    Remedy,
    Requested,
    Verb,
)

NOW = 1000.0
ACT = Policy(
    act=True,
    budget=3,
    window=600.0,
    backoff=5.0,
    backoff_cap=300.0,
    startup_deadline=300.0,
    drain_deadline=60.0,
)
OBSERVE = msgspec.structs.replace(ACT, act=False)
WELL = Observed(running=True, answering=True, in_flight=0)
BLIND = Observed()
ENDED = Observed(running=False)
FAULT = Observed(running=True, answering=True, in_flight=2, remedy=Remedy.RESTART, reason="Hang")
LOST = Observed(running=True, in_flight=2, remedy=Remedy.QUARANTINE, reason="GpuLost")
SICK = Observed(running=True, in_flight=2, remedy=Remedy.DRAIN, reason="GpuResetRequired")


def state(phase: Phase, **facts: object) -> EngineState:
    """An engine that has been in `phase` for 10 s."""
    known = {"since": NOW - 10, "last_start": NOW - 10, "reason": "Test", "message": "test"}
    return EngineState(phase=phase, **{**known, **facts})  # type: ignore[arg-type]


def asked(verb: Verb) -> Requested:
    return Requested(verb=verb, by="alice", reason="test")


DRAINING = {"goal": Goal.MAINTENANCE, "deadline": NOW + 50, "by": "alice"}
FOR_RESTART = {"goal": Goal.RESTART, "deadline": NOW + 50}

TABLE: list[tuple[str, EngineState, Event, Policy, Phase, bool]] = [
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
    ("quarantine stays", state(Phase.QUARANTINED), WELL, ACT, Phase.QUARANTINED, False),
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
    ("drain", state(Phase.SERVING), asked(Verb.DRAIN), OBSERVE, Phase.DRAINING, False),
    ("drain again", state(Phase.DRAINED), asked(Verb.DRAIN), ACT, Phase.DRAINED, False),
    ("undrain", state(Phase.DRAINED), asked(Verb.UNDRAIN), OBSERVE, Phase.STARTING, False),
    ("undrain nothing", state(Phase.SERVING), asked(Verb.UNDRAIN), ACT, Phase.SERVING, False),
    ("release", state(Phase.QUARANTINED), asked(Verb.UNDRAIN), ACT, Phase.STARTING, False),
    (
        "released, found stopped",
        state(Phase.STARTING, since=NOW, by="alice"),
        ENDED,
        OBSERVE,
        Phase.STARTING,
        True,
    ),
    ("restart drains", state(Phase.SERVING), asked(Verb.RESTART), ACT, Phase.DRAINING, False),
    ("restart at once", state(Phase.STARTING), asked(Verb.RESTART), ACT, Phase.STARTING, True),
    ("restart drained", state(Phase.DRAINED), asked(Verb.RESTART), ACT, Phase.DRAINED, True),
    ("restart latched", state(Phase.QUARANTINED), asked(Verb.RESTART), ACT, Phase.STARTING, True),
]


@pytest.mark.parametrize(
    ("before", "event", "policy", "phase", "start"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_transition(
    before: EngineState, event: Event, policy: Policy, phase: Phase, start: bool
) -> None:
    decision = decide(before, event, policy, NOW)
    assert (decision.state.phase, decision.start) == (phase, start)
    if decision.state.phase is not before.phase:
        assert decision.state.since == NOW
        assert decision.state.reason


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


def test_a_second_drain_does_not_move_the_deadline_out() -> None:
    first = decide(state(Phase.SERVING), asked(Verb.DRAIN), ACT, NOW).state
    second = decide(first, asked(Verb.RESTART), ACT, NOW + 30).state
    assert second.deadline == first.deadline == NOW + 60
    assert second.goal is Goal.REPLACE  # restarted, and still drained


def test_drain_ends_in_time_although_the_clock_stepped_back() -> None:
    draining = decide(state(Phase.SERVING), asked(Verb.DRAIN), ACT, NOW).state
    busy = Observed(running=True, in_flight=5)
    draining = decide(draining, busy, ACT, NOW - 5000).state
    assert decide(draining, busy, ACT, NOW - 5000 + 61).state.phase is Phase.DRAINED


def test_advice_is_what_the_agent_would_do() -> None:
    assert decide(state(Phase.SERVING), FAULT, OBSERVE, NOW).advice is Remedy.RESTART
    assert decide(state(Phase.SERVING), ENDED, OBSERVE, NOW).advice is Remedy.RESTART
    assert decide(state(Phase.SERVING), LOST, OBSERVE, NOW).advice is Remedy.QUARANTINE


# -- promises, on random walks ---------------------------------------------------------------------

WALKS = int(os.environ.get("STOKER_WALKS", "150"))
STEPS = 200
Decide = Callable[[EngineState, Event, Policy, float], Decision]


class Walk:
    """One random life of an engine; `step` raises AssertionError when a promise is broken."""

    def __init__(self, seed: int, mind: Decide = decide) -> None:
        self.random = random.Random(seed)
        self.mind = mind
        self.policy = self.random.choice([ACT, OBSERVE])
        self.now = NOW
        self.state = state(Phase.STARTING)
        self.own_starts: list[float] = []

    def step(self) -> None:
        self.now += self.random.choice([0.1, 1.0, 1.0, 5.0, 30.0, 200.0])
        event = self._event()
        before, after = self.state, self.mind(self.state, event, self.policy, self.now)
        self._check(before, event, after)
        self.state = after.state

    def _event(self) -> Event:
        if self.random.random() < 0.03:
            return Booted()
        if self.random.random() < 0.05:
            return asked(self.random.choice(list(Verb)))
        if self.random.random() < 0.1:
            return BLIND
        choose = self.random.choice
        return Observed(
            running=choose([True, True, True, False, None]),
            answering=choose([True, True, False, None]),
            in_flight=choose([0, 0, 3, None]),
            remedy=choose([Remedy.NONE] * 6 + list(Remedy)),
            reason="Walk",
            hopeless=self.random.random() < 0.05,
        )

    def _check(self, before: EngineState, event: Event, after: Decision) -> None:
        phases = (before.phase, after.state.phase)
        mine = isinstance(event, Observed)
        obeying = before.by != AGENT  # carries out what a person asked for
        if event == asked(Verb.UNDRAIN) and phases[0] is not phases[1]:
            self.own_starts.clear()  # a latch released by a person starts with a full budget
        if after.start and mine and not obeying:
            assert self.policy.act, "an observer started an engine"
            self.own_starts.append(self.now)
            recent = [at for at in self.own_starts if self.now - at < self.policy.window]
            assert len(recent) <= self.policy.budget, "more restarts than the budget"
        if event == BLIND and phases[0] is not Phase.DRAINING:
            assert not after.start, "unknown restarted"
            assert phases[0] is phases[1], "unknown moved a phase"
        if mine and not self.policy.act and not obeying:
            assert phases[1] is not Phase.QUARANTINED or phases[0] is phases[1]
            assert phases != (Phase.SERVING, Phase.DRAINING), "an observer drained"
        if phases[0] is Phase.DRAINING and mine:
            late = before.deadline is not None and self.now >= before.deadline
            assert not late or phases[1] is not Phase.DRAINING, "a drain outlived its deadline"
        if phases[0] is Phase.QUARANTINED and phases[1] is not Phase.QUARANTINED:
            assert isinstance(event, Requested), "quarantine was left without a person"
        if phases[0] is Phase.DRAINED and obeying and phases[1] is not Phase.DRAINED:
            assert isinstance(event, Requested), "a person's drain was undone"
        if phases[1] is Phase.SERVING and phases[0] is not Phase.SERVING:
            assert isinstance(event, Observed)
            assert event.running, "serves without running"
            assert event.answering, "serves without an answer"


def walk_all(mind: Decide) -> None:
    for seed in range(WALKS):
        walk = Walk(seed, mind)
        for _ in range(STEPS):
            walk.step()


def test_promises_hold_on_random_walks() -> None:
    walk_all(decide)


def _without_budget(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    return decide(msgspec.structs.replace(before, starts=()), event, policy, now)


def _deaf_to_unknown(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    return decide(before, ENDED if event == BLIND else event, policy, now)


def _too_eager(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    return decide(before, event, msgspec.structs.replace(policy, act=True), now)


@pytest.mark.parametrize("broken", [_without_budget, _deaf_to_unknown, _too_eager])
def test_walks_catch_a_broken_mind(broken: Decide) -> None:
    with pytest.raises(AssertionError):
        walk_all(broken)


def test_restarts_left() -> None:
    assert restarts_left(state(Phase.SERVING, starts=(NOW - 5,)), ACT, NOW) == 2
    assert restarts_left(state(Phase.SERVING, starts=(NOW - 605,)), ACT, NOW) == 3
