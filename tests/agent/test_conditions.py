"""Findings become conditions when they last; what cannot be seen neither opens nor closes one."""

from agent.conditions import Streaks, opened, update, worst
from agent.model import CheckResult, Condition, Remedy, Status


def result(status: Status, subject: str = "gpu:A", **facts: object) -> CheckResult:
    known = {"check": "c", "reason": "R", "message": "m", "remedy": Remedy.RESTART}
    return CheckResult(status=status, subject=subject, **{**known, **facts})  # type: ignore[arg-type]


def condition(subject: str, remedy: Remedy, *, fatal: bool = False) -> Condition:
    found = result(Status.FAIL, subject, remedy=remedy, certain=True, fatal=fatal)
    return opened(fold([found]))[0]


def fold(*rounds: list[CheckResult], failures: int = 2, successes: int = 2) -> Streaks:
    streaks: Streaks = {}
    for now, results in enumerate(rounds):
        streaks = update(streaks, results, failures, successes, float(now))
    return streaks


BAD, GOOD, UNKNOWN = ([result(s)] for s in (Status.FAIL, Status.OK, Status.UNKNOWN))


def test_opens_after_as_many_failures_in_a_row() -> None:
    assert not opened(fold(BAD))
    assert opened(fold(BAD, BAD))[0].since == 1.0
    assert not opened(fold(BAD, GOOD, BAD))


def test_closes_after_as_many_successes_in_a_row() -> None:
    assert opened(fold(BAD, BAD, GOOD))
    assert not opened(fold(BAD, BAD, GOOD, GOOD))
    assert opened(fold(BAD, BAD, GOOD, BAD, GOOD))


def test_certain_findings_count_at_once() -> None:
    assert opened(fold([result(Status.FAIL, certain=True)]))


def test_unknown_neither_opens_nor_closes() -> None:
    assert not opened(fold(BAD, UNKNOWN, UNKNOWN))
    assert opened(fold(BAD, UNKNOWN, BAD))
    assert opened(fold(BAD, BAD, UNKNOWN, UNKNOWN, UNKNOWN))


def test_a_check_that_could_not_look_keeps_its_conditions() -> None:
    blind = [result(Status.UNKNOWN, subject="node")]
    streaks = fold(BAD, BAD, blind, blind)
    assert [condition.subject for condition in opened(streaks)] == ["gpu:A"]


def test_a_subject_that_is_gone_takes_its_condition_along() -> None:
    assert not opened(fold(BAD, BAD, [result(Status.OK, subject="gpu:B")]))


def test_the_condition_keeps_its_beginning_and_shows_the_latest_message() -> None:
    later = [result(Status.FAIL, message="worse")]
    condition = opened(fold(BAD, BAD, later))[0]
    assert (condition.since, condition.message) == (1.0, "worse")


def test_worst_looks_only_at_what_the_engine_depends_on() -> None:
    lost = result(Status.FAIL, "gpu:A", remedy=Remedy.QUARANTINE, certain=True)
    slow = result(Status.FAIL, "engine:main", remedy=Remedy.RESTART, certain=True)
    note = result(Status.FAIL, "gpu:B", remedy=Remedy.NONE, certain=True)
    found = opened(fold([lost, slow, note]))
    assert [condition.subject for condition in found] == ["gpu:A", "engine:main", "gpu:B"]
    both = worst(found, frozenset({"engine:main", "gpu:A"}))
    assert both is not None
    assert both.remedy is Remedy.QUARANTINE
    assert worst(found, frozenset({"gpu:B"})) is None


def test_a_suspect_gpu_outranks_a_restart_and_what_is_fatal_stays_fatal() -> None:
    """No engine is started on a GPU that has to be kept out of service."""
    restart = condition(subject="engine:main", remedy=Remedy.RESTART)
    suspect = condition(subject="gpu:A", remedy=Remedy.DRAIN, fatal=True)
    reset = condition(subject="gpu:A", remedy=Remedy.RESET)
    about = frozenset({"engine:main", "gpu:A"})
    assert worst((restart, suspect), about) == suspect
    found = worst((restart, reset, suspect), about)
    assert found is not None
    assert (found.remedy, found.fatal) == (Remedy.RESET, True)
