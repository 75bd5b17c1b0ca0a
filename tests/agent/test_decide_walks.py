"""The promises of the agent's mind, kept on random walks. `STOKER_WALKS=3000` walks for longer."""

import os
import random
from collections.abc import Callable

import msgspec
import pytest

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

WALKS = int(os.environ.get("STOKER_WALKS", "300"))
STEPS = 300
BEST_FIRST = [Phase.SERVING, Phase.STARTING, Phase.DRAINING, Phase.DRAINED, Phase.QUARANTINED]
ACT = Policy(
    act=True,
    budget=3,
    window=600.0,
    backoff=5.0,
    backoff_cap=60.0,
    startup_deadline=300.0,
    drain_deadline=60.0,
)
POLICIES = [
    ACT,
    msgspec.structs.replace(ACT, act=False),
    msgspec.structs.replace(ACT, budget=0),
    msgspec.structs.replace(ACT, budget=1, backoff=0.1),
]
BLIND = Observed()
Decide = Callable[[EngineState, Event, Policy, float], Decision]


class Walk:
    """One random life of an engine, with its own books; a broken promise is an AssertionError.

    `passed` is time as it passes, `wall` the clock that the mind is told, which may step back.
    """

    def __init__(self, seed: int, mind: Decide) -> None:
        self.random = random.Random(seed)
        self.mind = mind
        self.policy = self.random.choice(POLICIES)
        self.passed, self.wall = 0.0, 100_000.0
        self.state = EngineState(since=self.wall, reason="New", message="new")
        self.own_starts: list[float] = []  # since a person last released a latch
        self.owed = False  # a request is to lead to a start
        self.kept_out = False  # a person has drained it, and nobody has undrained it
        self.due: float | None = None  # when the drain under way has to end
        self.stepped = False  # the clock has, since the mind last looked

    def step(self) -> None:
        passes = self.random.choice([0.1, 1.0, 1.0, 5.0, 30.0, 200.0])
        self.passed, self.wall = self.passed + passes, self.wall + passes
        if self.random.random() < 0.01:
            self.wall -= self.random.choice([10.0, 5000.0])
            self.stepped = True
        if self.random.random() < 0.01:  # the agent is started again with another setting
            self.policy = msgspec.structs.replace(self.policy, act=not self.policy.act)
        event, before = self._event(), self.state
        after = self.mind(before, event, self.policy, self.wall)
        match event:
            case Requested():
                self._after_request(event.verb, before, after)
            case Observed():
                self._after_look(event, before, after)
        self._always(event, before, after)
        self.state = after.state

    def _event(self) -> Event:
        chance, choose = self.random.random(), self.random.choice
        if chance < 0.02:
            return Booted()
        if chance < 0.08:
            return Requested(verb=choose(list(Verb)), by="alice", reason="walk")
        if chance < 0.2:
            return BLIND
        return Observed(
            running=choose([True, True, True, False]),
            answering=choose([True, True, False, None]),
            in_flight=choose([0, 0, 3, None]),
            remedy=choose([Remedy.NONE] * 6 + list(Remedy)),
            reason="Walk",
            hopeless=self.random.random() < 0.05,
            fatal=self.random.random() < 0.2,
            halt=self.random.random() < 0.2,
        )

    def _after_request(self, verb: Verb, before: EngineState, after: Decision) -> None:
        phase = after.state.phase
        match verb:
            case Verb.DRAIN:
                assert phase in BEST_FIRST[2:], "a drain was not obeyed"
                self.kept_out = self.kept_out or phase is not Phase.QUARANTINED
            case Verb.UNDRAIN:
                assert phase in BEST_FIRST[:2], "an undrain was not obeyed"
                self.kept_out = False
                self.owed = self.owed or before.phase is not phase
            case Verb.RESTART:
                draining = phase is Phase.DRAINING and after.state.by == "alice"
                assert after.start or draining, "a restart was not obeyed"
                self.owed = draining
        undrained = verb is Verb.UNDRAIN and before.phase is not phase
        if undrained or before.phase is Phase.QUARANTINED:
            self.own_starts.clear()  # a released latch starts with a full budget

    def _after_look(self, seen: Observed, before: EngineState, after: Decision) -> None:
        was, phase = before.phase, after.state.phase
        obeys = self.owed and before.by != AGENT
        if after.start and obeys:
            self.owed = False
        elif after.start:
            self._count_own_start()
            assert seen.remedy in {Remedy.NONE, Remedy.RESTART}, "started on a faulty GPU"
        if self.stepped and was is Phase.DRAINING:  # only now the mind can know
            self.due = self.passed + self.policy.drain_deadline
        self.stepped = False
        late = was is Phase.DRAINING and self.due is not None and self.passed >= self.due
        assert not (late and phase is Phase.DRAINING), "a drain outlived its deadline"
        if was is Phase.DRAINING and phase is not was and before.by != AGENT:
            asked = before.goal in {Goal.RESTART, Goal.REPLACE}
            assert after.start or not asked, "a restart that was asked for is forgotten"
        overdue = before.deadline is not None and self.wall >= before.deadline
        if seen == BLIND and not late and not overdue:
            assert not after.start, "unknown restarted"
            worse = BEST_FIRST.index(phase) > BEST_FIRST.index(was)
            assert not worse, "unknown moved to a worse phase"
        if not self.policy.act and phase is not was and phase in BEST_FIRST[2:]:
            asked = was is Phase.DRAINING and before.by != AGENT
            assert asked, "an observer kept an engine out"

    def _count_own_start(self) -> None:
        assert self.policy.act, "an observer started an engine"
        self.own_starts.append(self.passed)
        recent = [at for at in self.own_starts if self.passed - at < self.policy.window]
        assert len(recent) <= self.policy.budget, "more restarts than the budget"

    def _always(self, event: Event, before: EngineState, after: Decision) -> None:
        was, phase = before.phase, after.state.phase
        if phase is Phase.DRAINING and was is not Phase.DRAINING:
            self.due = self.passed + self.policy.drain_deadline
        if was is Phase.QUARANTINED and phase is not was:
            assert isinstance(event, Requested), "quarantine was left without a person"
        if self.kept_out:
            assert phase in {Phase.DRAINING, Phase.DRAINED}, "a person's drain was undone"
        if phase is Phase.SERVING and was is not phase:
            assert isinstance(event, Observed), "serves without a look"
            assert event.running, "serves without running"
            assert event.answering, "serves without an answer"
            assert event.remedy is Remedy.NONE or not self.policy.act, "serves with a fault"


def walk_all(mind: Decide) -> None:
    for seed in range(WALKS):
        walk = Walk(seed, mind)
        for _ in range(STEPS):
            walk.step()


def test_promises_hold_on_random_walks() -> None:
    walk_all(decide)


def test_walks_go_everywhere() -> None:
    seen: set[tuple[Phase, Phase]] = set()

    def watched(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
        after = decide(before, event, policy, now)
        seen.add((before.phase, after.state.phase))
        return after

    for seed in range(40):
        walk = Walk(seed, watched)
        for _ in range(STEPS):
            walk.step()
    missing = {(a, b) for a in Phase for b in Phase} - seen
    assert missing == {
        (Phase.DRAINED, Phase.SERVING),  # always through STARTING
        (Phase.DRAINED, Phase.DRAINING),
        (Phase.QUARANTINED, Phase.SERVING),
        (Phase.QUARANTINED, Phase.DRAINING),
        (Phase.QUARANTINED, Phase.DRAINED),
    }


# Minds with one fault each; the walks have to find it, or they prove nothing.


def _forgets_starts(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    return decide(msgspec.structs.replace(before, starts=()), event, policy, now)


def _one_too_many(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    return decide(before, event, msgspec.structs.replace(policy, budget=policy.budget + 1), now)


def _takes_unknown_for_ended(
    before: EngineState, event: Event, policy: Policy, now: float
) -> Decision:
    return decide(before, Observed(running=False) if event == BLIND else event, policy, now)


def _acts_always(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    return decide(before, event, msgspec.structs.replace(policy, act=True), now)


def _trusts_the_clock(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    after = decide(before, event, policy, now)
    if before.phase is after.state.phase is Phase.DRAINING and isinstance(event, Observed):
        kept = msgspec.structs.replace(after.state, deadline=before.deadline)
        return msgspec.structs.replace(after, state=kept)
    return after


def _heals_everything(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    if before.phase is Phase.DRAINED and isinstance(event, Observed):
        before = msgspec.structs.replace(before, goal=Goal.FAULT, by=AGENT)
    return decide(before, event, policy, now)


def _forgives(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    if before.phase is Phase.QUARANTINED and isinstance(event, Observed):
        before = msgspec.structs.replace(before, phase=Phase.STARTING)
    return decide(before, event, policy, now)


def _trusts_the_port(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    if isinstance(event, Observed):
        event = msgspec.structs.replace(event, answering=bool(event.running))
    return decide(before, event, policy, now)


def _careless(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    if isinstance(event, Observed) and event.running is False:
        event = msgspec.structs.replace(event, remedy=Remedy.NONE)
    return decide(before, event, policy, now)


def _deaf(before: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    if isinstance(event, Requested) and not policy.act:
        return Decision(state=before)
    return decide(before, event, policy, now)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (_forgets_starts, "more restarts than the budget"),
        (_one_too_many, "more restarts than the budget"),
        (_takes_unknown_for_ended, "unknown"),
        (_acts_always, "an observer"),
        (_trusts_the_clock, "a drain outlived its deadline"),
        (_heals_everything, "a person's drain was undone"),
        (_forgives, "quarantine was left without a person"),
        (_trusts_the_port, "serves without an answer"),
        (_careless, "started on a faulty GPU"),
        (_deaf, "was not obeyed"),
    ],
)
def test_walks_catch_a_broken_mind(broken: Decide, promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        walk_all(broken)
