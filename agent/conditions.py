"""Findings become conditions only when they last: thresholds against flapping, as pure folds."""

from collections.abc import Iterable, Mapping

import msgspec

from agent.model import CheckResult, Condition, Remedy, Status, Value

Key = tuple[str, str]  # check, subject


class Streak(Value, frozen=True, kw_only=True):
    """How often in a row a check found the same kind of thing about a subject."""

    bad: bool
    looks: int
    condition: Condition | None = None


Streaks = Mapping[Key, Streak]


def update(
    streaks: Streaks, results: Iterable[CheckResult], failures: int, successes: int, now: float
) -> dict[Key, Streak]:
    """Fold one round of results into the streaks.

    A condition opens after `failures` bad looks in a row (at once when certain) and closes after
    `successes` good ones. UNKNOWN neither opens nor closes: it leaves what was, and so does a
    check that could not look at all. A subject that no longer exists (its check looked and found
    no such thing) is dropped with its condition.
    """
    results = list(results)
    blind = {result.check for result in results if result.status is Status.UNKNOWN}
    fresh = {key: streak for key, streak in streaks.items() if key[0] in blind}
    for result in results:
        key = (result.check, result.subject)
        before = streaks.get(key)
        if result.status is not Status.UNKNOWN:
            fresh[key] = _step(before, result, failures, successes, now)
    return fresh


def opened(streaks: Streaks) -> tuple[Condition, ...]:
    """Return the open conditions, worst remedy first."""
    found = [streak.condition for streak in streaks.values() if streak.condition]
    return tuple(sorted(found, key=lambda c: (-c.remedy.rank, c.check, c.subject)))


def worst(conditions: Iterable[Condition], subjects: frozenset[str]) -> Condition | None:
    """Return the open condition about any of `subjects` that asks for the strongest remedy.

    A restart is the weakest: nothing is started on what has to be kept out of service. What one
    fault is fatal to cannot finish, whichever fault leads.
    """
    about = [c for c in conditions if c.subject in subjects and c.remedy > Remedy.NONE]
    if not about:
        return None
    top = max(about, key=lambda c: (c.remedy is not Remedy.RESTART, c.remedy))
    return msgspec.structs.replace(top, fatal=any(c.fatal for c in about))


def _step(
    before: Streak | None, result: CheckResult, failures: int, successes: int, now: float
) -> Streak:
    bad = result.status is not Status.OK
    looks = before.looks + 1 if before and before.bad is bad else 1
    condition = before.condition if before else None
    if bad and (condition or result.certain or looks >= failures):
        condition = _condition(result, condition.since if condition else now)
    elif not bad and looks >= successes:
        condition = None
    return Streak(bad=bad, looks=looks, condition=condition)


def _condition(result: CheckResult, since: float) -> Condition:
    return Condition(
        check=result.check,
        subject=result.subject,
        status=result.status,
        reason=result.reason,
        message=result.message,
        remedy=result.remedy,
        since=since,
        fatal=result.fatal,
        capacity=result.capacity,
        evidence=result.evidence,
    )
