"""The ladder's rules, one by one. That they hold together is walked in `test_ladder_walks.py`."""

import msgspec
import pytest

from agent.attempts import DAY, GOING_DOWN, WEEK, Attempt, Outcome, closed, recent, running, today
from agent.clearing import escalated
from agent.ladder import HOUR, SETTLING, Rules, Step, judged, ordered, steps
from agent.model import Condition, Remedy, Status
from agent.xid.standing import ANY_GPU, FABRIC

NOW = 10 * WEEK
A, B, NODE = "gpu:A", "gpu:B", "node"
RESET, REBOOT, QUARANTINE = Remedy.RESET, Remedy.REBOOT, Remedy.QUARANTINE
RULES = Rules(
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
EVERY = frozenset({A, B, NODE, FABRIC, ANY_GPU, *(f"gpu:{n}" for n in range(8))})


def need(subject: str = A, remedy: Remedy = RESET, age: float = 5.0) -> Condition:
    return Condition(
        check="c",
        subject=subject,
        status=Status.FAIL,
        reason="Fault",
        message="it is ill",
        remedy=remedy,
        since=NOW - age,
    )


def tried(rung: Remedy, subject: str, age: float, outcome: Outcome = Outcome.DONE) -> Attempt:
    """One that began `age` seconds ago and took 5 s."""
    ended = None if outcome is Outcome.RUNNING else NOW - age + 5
    facts = {"reason": "R", "boot": "b", "began": NOW - age, "ended": ended, "message": "no luck"}
    return Attempt(rung=rung, subject=subject, outcome=outcome, **facts)  # type: ignore[arg-type]


def rules(**facts: object) -> Rules:
    return msgspec.structs.replace(RULES, **facts)


def due(
    *needs: Condition,
    attempts: tuple[Attempt, ...] = (),
    allowed: Rules = RULES,
    gpus: int = 8,
    needed: frozenset[str] = EVERY,
) -> tuple[Step, ...]:
    known = judged(needs, attempts, allowed, gpus, NOW)
    return ordered(steps(needs, known, allowed, gpus, needed, NOW))


def brief(found: tuple[Step, ...]) -> list[tuple[Remedy, str, str]]:
    return [(one.rung, one.subject, one.waits) for one in found]


FAILED, RUNNING, DONE = Outcome.FAILED, Outcome.RUNNING, Outcome.DONE


@pytest.mark.parametrize(
    ("wanted", "age", "attempts", "step"),
    [
        (RESET, 5, (), (RESET, A, "")),
        (REBOOT, 5, (), (REBOOT, NODE, "")),
        # another subject's failure is not ours
        (RESET, 5, (tried(RESET, B, 9000, FAILED),), (RESET, A, "")),
        # a failure moves up, at once
        (RESET, 50, (tried(RESET, A, 10, FAILED),), (REBOOT, NODE, "")),
        (REBOOT, 50, (tried(REBOOT, NODE, 10, FAILED),), (QUARANTINE, A, "")),
        (
            RESET,
            90,
            (tried(RESET, A, 60, FAILED), tried(REBOOT, NODE, 20, FAILED)),
            (QUARANTINE, A, ""),
        ),
        # a day later it may be tried again, for a new fault only
        (RESET, 5, (tried(RESET, A, DAY - 1, FAILED),), (REBOOT, NODE, "")),
        (RESET, 5, (tried(RESET, A, DAY + 1, FAILED),), (RESET, A, "")),
        (RESET, 2 * DAY, (tried(RESET, A, DAY + 1, FAILED),), (REBOOT, NODE, "")),
        # done, and its effect may still show
        (RESET, 60, (tried(RESET, A, 20),), (RESET, A, "Settling")),
        # done, and the fault stands
        (RESET, 90, (tried(RESET, A, 5 + SETTLING),), (REBOOT, NODE, "")),
        # done, healed, and back within the verify window, or after it
        (RESET, 5, (tried(RESET, A, 600),), (REBOOT, NODE, "")),
        (RESET, 5, (tried(RESET, A, 620),), (RESET, A, "")),
        (REBOOT, 5, (tried(REBOOT, NODE, 600),), (QUARANTINE, A, "")),
        (REBOOT, 5, (tried(REBOOT, NODE, HOUR),), (REBOOT, NODE, "")),
        # all of the fabric is every GPU
        (RESET, 5, (tried(RESET, FABRIC, 600),), (REBOOT, NODE, "")),
        # budgets
        (RESET, 5, (tried(RESET, A, 9000), tried(RESET, A, 20000)), (REBOOT, NODE, "")),
        (RESET, 5, (tried(RESET, A, 9000), tried(RESET, A, DAY + 1)), (RESET, A, "")),
        (RESET, 5, (tried(RESET, A, 9000), tried(RESET, B, 20000)), (RESET, A, "")),
        (REBOOT, 5, (tried(REBOOT, NODE, 9000), tried(REBOOT, NODE, 20000)), (QUARANTINE, A, "")),
        (
            REBOOT,
            5,
            tuple(tried(REBOOT, NODE, n * 1.5 * DAY) for n in (1, 2, 3)),
            (QUARANTINE, A, ""),
        ),
        (REBOOT, 5, tuple(tried(REBOOT, NODE, n * 3 * DAY) for n in (1, 2, 3)), (REBOOT, NODE, "")),
        # one act at a time
        (RESET, 5, (tried(RESET, B, 10, RUNNING),), (RESET, A, "AnotherAct")),
        # its company is awaited
        (RESET, 4, (), (RESET, A, "Companions")),
        (REBOOT, 4, (), (REBOOT, NODE, "Companions")),
        (RESET, -60, (), (RESET, A, "")),  # the clock was set back
        # the breaker
        (RESET, 5, tuple(tried(RESET, B, 900 + n) for n in range(4)), (RESET, A, "BreakerOpen")),
        (RESET, 5, tuple(tried(RESET, B, HOUR + n) for n in range(4)), (RESET, A, "")),
    ],
)
def test_the_next_rung(
    wanted: Remedy, age: float, attempts: tuple[Attempt, ...], step: tuple[Remedy, str, str]
) -> None:
    assert brief(due(need(A, wanted, age), attempts=attempts)) == [step]


@pytest.mark.parametrize(
    ("facts", "waits"),
    [
        ({"arm_reset": False}, ["NotArmed", ""]),
        ({"arm_reboot": False}, ["", "NotArmed"]),
        ({"act": False}, ["NotArmed", "NotArmed"]),
    ],
)
def test_what_is_not_armed_is_only_advised(facts: dict[str, bool], waits: list[str]) -> None:
    allowed = rules(**facts)
    found = [due(need(A, remedy), allowed=allowed)[0] for remedy in (RESET, REBOOT)]
    assert [one.waits for one in found] == waits


@pytest.mark.parametrize(
    ("failed", "gpus", "rung"),
    [
        ({A: 5}, 1, RESET),
        ({A: 5, B: 6}, 2, REBOOT),
        ({A: 5, B: 66}, 2, RESET),
        ({f"gpu:{n}": 5 for n in range(4)}, 8, RESET),
        ({f"gpu:{n}": 5 for n in range(5)}, 8, REBOOT),
        ({f"gpu:{n}": 40 * n for n in range(5)}, 8, RESET),
        ({A: 5, NODE: 5, FABRIC: 5}, 2, RESET),
    ],
)
def test_many_gpus_within_a_minute_have_a_common_cause(
    failed: dict[str, float], gpus: int, rung: Remedy
) -> None:
    found = due(*(need(subject, RESET, age) for subject, age in failed.items()), gpus=gpus)
    assert {one.rung for one in found} == {rung}


def test_a_gpu_fails_when_its_first_fault_shows() -> None:
    found = due(need(A, age=500), need(A, age=5), need(B, age=5), gpus=2)
    assert {one.rung for one in found} == {RESET}


def test_a_common_cause_that_a_reboot_did_not_cure_is_for_a_person() -> None:
    found = due(need(A, age=5), need(B, age=5), attempts=(tried(REBOOT, NODE, 100),), gpus=2)
    assert brief(found) == [(QUARANTINE, A, ""), (QUARANTINE, B, "")]


@pytest.mark.parametrize(
    ("allowed", "needed", "rungs"),
    [
        (RULES, EVERY, [REBOOT]),
        (rules(arm_reboot=False), EVERY, [RESET, REBOOT]),  # what may not come absorbs nothing
        (RULES, EVERY - {B}, [RESET, REBOOT]),
    ],
)
def test_a_pending_reboot_absorbs_the_resets(
    allowed: Rules, needed: frozenset[str], rungs: list[Remedy]
) -> None:
    found = due(need(A), need(B, REBOOT), allowed=allowed, needed=needed)
    assert [one.rung for one in found] == rungs


@pytest.mark.parametrize(
    ("needed", "subjects"), [(EVERY, [FABRIC]), (EVERY - {FABRIC}, [A, FABRIC])]
)
def test_a_reset_of_all_gpus_absorbs_those_of_single_ones(
    needed: frozenset[str], subjects: list[str]
) -> None:
    assert [one.subject for one in due(need(A), need(FABRIC), needed=needed)] == subjects


def test_the_worst_need_of_a_subject_counts_and_of_equals_the_one_that_may_come() -> None:
    assert brief(due(need(A), need(A, REBOOT))) == [(REBOOT, NODE, "")]
    for needs in ((need(A, REBOOT), need(B, REBOOT)), (need(B, REBOOT), need(A, REBOOT))):
        assert brief(due(*needs, needed=EVERY - {B})) == [(REBOOT, NODE, "")]


def test_a_fault_of_the_node_for_a_person_does_not_hide_a_reboot_for_another() -> None:
    found = due(
        need(NODE, REBOOT, 2 * DAY),
        need(A, REBOOT),
        attempts=(tried(REBOOT, NODE, DAY + 60, FAILED),),
    )
    assert brief(found) == [(QUARANTINE, NODE, ""), (REBOOT, NODE, "")]


@pytest.mark.parametrize(
    ("one", "waits"),
    [
        (need(A, RESET), ""),  # it hurts nobody
        (need(A, REBOOT), "Unused"),
        (need(FABRIC, RESET), "Unused"),
    ],
)
def test_engines_that_serve_are_not_disturbed_for_what_no_engine_needs(
    one: Condition, waits: str
) -> None:
    found = due(one, needed=frozenset({B}))
    assert [step.waits for step in found] == [waits]
    assert len(escalated([one], found, ())) == 1


@pytest.mark.parametrize("waits", ["", "Settling", "AnotherAct", "EnginesDraining"])
def test_a_reboot_that_may_come_drains_every_engine(waits: str) -> None:
    one = need(A, REBOOT)
    step = msgspec.structs.replace(due(one)[0], waits=waits)
    told, clearing = escalated([one], [step], ())
    assert told == one
    assert (clearing.subject, clearing.remedy, clearing.since) == (NODE, Remedy.DRAIN, one.since)
    assert clearing.reason == "RebootPending"


@pytest.mark.parametrize(
    "waits", ["NotArmed", "BreakerOpen", "Unused", "PersonAtWork", "Inhibited", "NoSlot"]
)
def test_a_reboot_that_may_not_come_drains_nobody(waits: str) -> None:
    one = need(A, REBOOT)
    assert escalated([one], [msgspec.structs.replace(due(one)[0], waits=waits)], ()) == (one,)


def test_a_reset_drains_its_own_engine_and_one_of_the_fabric_all_with_gpus() -> None:
    assert escalated([need(A)], due(need(A)), ()) == (need(A),)
    one = need(FABRIC)
    assert escalated([one], due(one), ())[1].subject == ANY_GPU


@pytest.mark.parametrize(("subject", "kept"), [(A, A), (FABRIC, ANY_GPU), (NODE, NODE)])
def test_nothing_is_started_on_what_a_rung_works_on(subject: str, kept: str) -> None:
    """Also when the fault clears in the middle of it."""
    act = tried(RESET if subject != NODE else REBOOT, subject, 10, RUNNING)
    (told,) = escalated([], (), [tried(RESET, B, 90), act])
    assert (told.subject, told.remedy, told.reason) == (kept, Remedy.DRAIN, "RungUnderWay")


def test_where_no_rung_is_left_a_person_is_needed() -> None:
    mine, other = need(A, age=50), need(B, Remedy.DRAIN)
    spent = (tried(RESET, A, 40, FAILED), tried(REBOOT, NODE, 20, FAILED))
    told = escalated([mine, other], due(mine, other, attempts=spent), spent)
    assert [one.remedy for one in told] == [QUARANTINE, Remedy.DRAIN]
    assert "its reboot failed: no luck" in told[0].message


def test_what_did_not_help_is_known_even_if_since_when_the_fault_stands_is_forgotten() -> None:
    """The agent is restarted hours later, and sees the fault as if it had just begun."""
    attempts = judged([need(A, age=90)], (tried(RESET, A, 40),), RULES, 8, NOW)
    assert [one.outcome for one in attempts] == [FAILED]
    assert "it did not help: it is ill" in attempts[0].message
    later = msgspec.structs.replace(need(A), since=NOW + 3 * HOUR)
    found = steps([later], attempts, RULES, 8, EVERY, NOW + 3 * HOUR + 1)
    assert [one.rung for one in found] == [REBOOT]


def test_a_reboot_is_not_blamed_for_a_fault_that_asks_for_less() -> None:
    attempts = (tried(REBOOT, NODE, 100),)
    assert judged([need(A)], attempts, RULES, 8, NOW) == attempts
    assert brief(due(need(A), attempts=attempts)) == [(RESET, A, "")]


@pytest.mark.parametrize("back", [100.0, 2 * DAY])
def test_a_clock_that_steps_back_neither_forgets_nor_waits_for_it(back: float) -> None:
    now = NOW - back
    spent = [today(one, now) for one in (tried(RESET, A, 60), tried(RESET, A, 2 * HOUR))]
    fault = need(A, age=90)  # in the future now
    (step,) = steps([fault], judged([fault], spent, RULES, 8, now), RULES, 8, EVERY, now)
    assert (step.rung, "2 resets within a day" in step.message) == (REBOOT, True)
    one = [today(tried(RESET, A, 20), now)]
    (step,) = steps([fault], judged([fault], one, RULES, 8, now), RULES, 8, EVERY, now)
    assert (step.rung, step.waits) == (RESET, "Settling")
    later = now + SETTLING
    (failed,) = judged([fault], one, RULES, 8, later)
    assert failed.outcome is FAILED


@pytest.mark.parametrize(
    ("one", "boot", "age", "outcome"),
    [
        (tried(RESET, A, 10), "b", 0, DONE),
        (tried(RESET, A, 10, FAILED), "c", 0, FAILED),
        (tried(RESET, A, 10, RUNNING), "b", 0, FAILED),
        (tried(RESET, A, 10, RUNNING), "c", 0, FAILED),
        (tried(REBOOT, NODE, 10, RUNNING), "b", 0, RUNNING),  # it may still go down
        (tried(REBOOT, NODE, 10, RUNNING), "b", GOING_DOWN, FAILED),
        (tried(REBOOT, NODE, 10, RUNNING), "c", GOING_DOWN, DONE),
        (tried(REBOOT, NODE, 10, RUNNING), "c", 0, DONE),
    ],
)
def test_an_attempt_that_nobody_carries_out(
    one: Attempt, boot: str, age: float, outcome: Outcome
) -> None:
    after = closed(one, boot, NOW + age)
    assert after.outcome is outcome
    if one.outcome is not RUNNING:
        assert after == one
    elif outcome is not RUNNING:
        assert after.ended == NOW + age


def test_a_week_is_remembered() -> None:
    old, new, coming = (tried(RESET, A, age) for age in (WEEK, WEEK - 1, -60))
    assert recent([old, new, coming], NOW) == (new, coming)


def test_the_one_under_way_is_found() -> None:
    under_way = tried(RESET, A, 10, RUNNING)
    assert running([tried(RESET, A, 90), under_way]) == under_way
    assert running([tried(RESET, A, 90)]) is None
