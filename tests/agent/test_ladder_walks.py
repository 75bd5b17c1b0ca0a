"""The promises of the ladder, kept on random walks. `STOKER_WALKS=3000` walks for longer."""

import os
import random
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from agent.attempts import DAY, WEEK, Attempt, Outcome, closed, recent, running, today
from agent.ladder import BARRED, HOUR, RUNGS, SETTLING, Rules, Step, judged, ordered, steps
from agent.model import Condition, Remedy, Status
from agent.xid.standing import FABRIC

WALKS = int(os.environ.get("STOKER_WALKS", "200"))
STEPS = 300
GPUS = ["gpu:0", "gpu:1", "gpu:2"]
SUBJECTS = [*GPUS, *GPUS, "node", FABRIC]
ALL = Rules(
    act=True,
    arm_reset=True,
    arm_reboot=True,
    resets_per_day=2,
    reboots_per_day=2,
    reboots_per_week=3,
    verify_window=600.0,
    acts_per_hour=4,
    companions=5.0,
)
SETS = [
    ALL,
    ALL,
    replace(ALL, act=False),
    replace(ALL, arm_reset=False),
    replace(ALL, arm_reboot=False),
    replace(ALL, resets_per_day=1, acts_per_hour=2),
    replace(ALL, reboots_per_week=2),
]
Known = tuple[Attempt, ...]
Seen = tuple[Known, tuple[Step, ...]]
Mind = Callable[[Sequence[Condition], Known, Rules, float], Seen]


def mind(found: Sequence[Condition], attempts: Known, rules: Rules, now: float) -> Seen:
    """The ladder, as `agent.remedies` climbs it."""
    attempts = _now(attempts, now)
    attempts = judged(found, attempts, rules, len(GPUS), now)
    return attempts, ordered(steps(found, attempts, rules, len(GPUS), frozenset(SUBJECTS), now))


def _now(attempts: Known, now: float) -> Known:
    return tuple(today(one, now) for one in attempts)


class Act:
    """One rung in the walk's own books, in time as it passes."""

    def __init__(self, rung: Remedy, subject: str, began: float, fault: Condition) -> None:
        self.rung, self.subject, self.began, self.fault = rung, subject, began, fault
        self.ended: float | None = None
        self.done = self.failed = False


class Walk:
    """One random life of a node; a broken promise is an AssertionError.

    `passed` is time as it passes, `wall` the clock that the mind is told, which may step back.
    """

    def __init__(self, seed: int, mind: Mind) -> None:
        self.random, self.mind = random.Random(seed), mind
        self.rules = self.random.choice(SETS)
        self.passed, self.wall = 0.0, 100 * WEEK
        self.faults: dict[str, Condition] = {}
        self.attempts: Known = ()
        self.acts: list[Act] = []
        self.boot, self.stepped = 0, 0.0  # the latter: when the clock was set back

    def step(self) -> None:
        self._pass()
        self._world()
        self.attempts, found = self.mind(
            tuple(self.faults.values()), self.attempts, self.rules, self.wall
        )
        self._see(found)
        act = running(self.attempts)
        if act is not None and self.random.random() < 0.7:
            self._end(act)
        elif step := next((one for one in found if one.rung in RUNGS and not one.waits), None):
            self._begin(step)

    def _pass(self) -> None:
        quick = any(
            act.ended is None or self.passed - act.ended < 2 * SETTLING for act in self.acts[-1:]
        )
        passes = self.random.choice([1, 5, 40] if quick else [1, 40, 300, 4000, 30_000])
        self.passed, self.wall = self.passed + passes, self.wall + passes
        if self.random.random() < 0.01:
            self.wall -= self.random.choice([10.0, 5000.0, 2 * DAY])
            self.stepped = self.passed

    def _world(self) -> None:
        chance, subject = self.random.random(), self.random.choice(SUBJECTS)
        if chance < 0.08 and subject not in self.faults:
            self.faults[subject] = self._fault(subject)
        elif chance < 0.1:
            self.faults.pop(subject, None)
        elif chance < 0.13:  # since when a fault stands is forgotten; on the disk is what is known
            self.boot += chance > 0.12
            self.faults = {one: replace(it, since=self.wall) for one, it in self.faults.items()}
            boot = str(self.boot)
            self.attempts = tuple(closed(one, boot, self.wall) for one in self.attempts)
            if not running(self.attempts) and self.acts and self.acts[-1].ended is None:
                self.acts[-1].ended = self.passed
                self.acts[-1].failed = self.attempts[-1].outcome is Outcome.FAILED

    def _fault(self, subject: str) -> Condition:
        return Condition(
            check="walk",
            subject=subject,
            status=Status.FAIL,
            reason="Walk",
            message=str(self.random.random()),
            remedy=self.random.choice(
                [Remedy.REBOOT, *[Remedy.RESET] * (0 if subject == "node" else 2)]
            ),
            since=self.wall,
        )

    def _see(self, found: Sequence[Step]) -> None:
        last = max([self.stepped, *(act.ended or act.began for act in self.acts)])
        for one in found:
            if one.waits == "Settling":
                assert self.passed - last < SETTLING, "it settles for ever"
        for act in self.acts:
            same = self.faults.get(act.fault.subject)
            stands = same is not None and same.message == act.fault.message
            if act.done and stands and self.passed - (act.ended or 0.0) >= SETTLING:
                act.failed = True
        for fault in self.faults.values():
            assert any(_cares(one, fault) for one in found), "a fault is forgotten"

    def _begin(self, step: Step) -> None:
        assert self.rules.act, "an observer acted"
        armed = self.rules.arm_reset if step.rung is Remedy.RESET else self.rules.arm_reboot
        assert armed, "it acted unarmed"
        assert all(act.ended is not None for act in self.acts), "two acts at a time"
        same = [act for act in self.acts if (act.rung, act.subject) == (step.rung, step.subject)]
        day = [act for act in same if self.passed - act.began < DAY]
        assert not any(act.failed for act in day), "a rung that failed was repeated"
        reset = step.rung is Remedy.RESET
        most = self.rules.resets_per_day if reset else self.rules.reboots_per_day
        assert len(day) < most, "more of a rung than its budget"
        week = sum(self.passed - act.began < WEEK for act in same)
        assert reset or week < self.rules.reboots_per_week, "more of a rung than its budget"
        hour = sum(self.passed - act.began < HOUR for act in self.acts)
        assert hour < self.rules.acts_per_hour, "the breaker did not open"
        fault = next(one for one in self.faults.values() if step.message.startswith(one.message))
        self.acts.append(Act(step.rung, step.subject, self.passed, fault))
        attempt = Attempt(
            rung=step.rung,
            subject=step.subject,
            reason=step.reason,
            began=self.wall,
            boot=str(self.boot),
        )
        self.attempts = (*recent(self.attempts, self.wall), attempt)

    def _end(self, attempt: Attempt) -> None:
        act = self.acts[-1]
        act.ended = self.passed
        act.done = self.random.random() < 0.9
        act.failed = not act.done
        outcome = Outcome.DONE if act.done else Outcome.FAILED
        ended = replace(attempt, ended=self.wall, outcome=outcome)
        self.attempts = tuple(ended if one is attempt else one for one in self.attempts)
        for subject in [*self.faults]:
            if subject == act.fault.subject and act.done and self.random.random() < 0.9:
                del self.faults[subject]


def _cares(step: Step, fault: Condition) -> bool:
    """Whether a step may be about a fault; a reboot may be about any."""
    reset = step.rung is Remedy.RESET and step.subject == FABRIC and fault.remedy is Remedy.RESET
    return step.subject == fault.subject or step.rung is Remedy.REBOOT or reset


def walk_all(mind: Mind) -> None:
    for seed in range(WALKS):
        walk = Walk(seed, mind)
        for _ in range(STEPS):
            walk.step()


def test_promises_hold_on_random_walks() -> None:
    walk_all(mind)


def test_walks_go_everywhere() -> None:
    seen: set[tuple[Remedy, str]] = set()
    ends: set[tuple[Remedy, Outcome]] = set()

    def watched(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
        attempts, steps = mind(found, known, rules, now)
        seen.update((one.rung, one.waits) for one in steps)
        ends.update((one.rung, one.outcome) for one in attempts)
        return attempts, steps

    walk_all(watched)
    waits = {"", "NotArmed", "AnotherAct", "Settling", "BreakerOpen", "Companions"}
    assert seen == {(rung, why) for rung in RUNGS for why in waits} | {(Remedy.QUARANTINE, "")}
    assert ends == {(rung, outcome) for rung in RUNGS for outcome in Outcome}
    assert waits & BARRED


# Minds with one fault each; the walks have to find it, or they prove nothing.


def _forgets(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    """Keeps what runs alone."""
    return mind(found, tuple(one for one in known if one.outcome is Outcome.RUNNING), rules, now)


def _hopes(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    """Takes what failed for what has helped, long ago."""
    helped = tuple(
        replace(one, outcome=Outcome.DONE, ended=one.began - DAY)
        if one.outcome is Outcome.FAILED
        else one
        for one in known
    )
    return _now(known, now), mind(found, helped, rules, now)[1]


def _believes(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    """Never asks whether it helped."""
    known = _now(known, now)
    return known, ordered(steps(found, known, rules, len(GPUS), frozenset(SUBJECTS), now))


def _forgetful(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    """Does not remember that it did not help."""
    return _now(known, now), mind(found, known, rules, now)[1]


def _hasty(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    """Does not see what runs."""
    blind = tuple(one for one in known if one.outcome is not Outcome.RUNNING)
    return _now(known, now), mind(found, blind, rules, now)[1]


def _greedy(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    more = replace(rules, resets_per_day=rules.resets_per_day + 1)
    return mind(found, known, more, now)


def _reboots_more(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    more = replace(rules, reboots_per_day=9, reboots_per_week=9)
    return mind(found, known, more, now)


def _unbroken(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    return mind(found, known, replace(rules, acts_per_hour=9), now)


def _arms_itself(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    return mind(found, known, replace(rules, arm_reset=True, arm_reboot=True), now)


def _acts_always(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    return mind(found, known, replace(rules, act=True), now)


def _trusts_the_clock(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    attempts = judged(found, known, rules, len(GPUS), now)
    return attempts, ordered(
        steps(found, attempts, rules, len(GPUS), frozenset(SUBJECTS), now),
    )


def _sees_one(found: Sequence[Condition], known: Known, rules: Rules, now: float) -> Seen:
    return mind(found[:1], known, rules, now)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (_forgets, "repeated|budget|breaker"),
        (_hopes, "a rung that failed was repeated"),
        (_believes, "a rung that failed was repeated"),
        (_forgetful, "a rung that failed was repeated"),
        (_hasty, "two acts at a time"),
        (_greedy, "more of a rung than its budget"),
        (_reboots_more, "more of a rung than its budget"),
        (_unbroken, "the breaker did not open"),
        (_arms_itself, "it acted unarmed"),
        (_acts_always, "an observer acted"),
        (_trusts_the_clock, "it settles for ever"),
        (_sees_one, "a fault is forgotten"),
    ],
)
def test_walks_catch_a_broken_mind(broken: Mind, promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        walk_all(broken)
