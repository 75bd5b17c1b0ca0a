"""What has changed from one snapshot to the next, as events for people and machines. Pure.

The id of an event follows from what is remembered over a restart of the agent, so the same event
told again by a fresh process has the same id. Only the conditions of checks are found anew by
each process: one that stands is told again, with the instant at which it was found again.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from agent.ladder import Attempt, Outcome
from agent.model import Condition, EngineState, Value
from agent.snapshot import Snapshot
from agent.xid.incident import Incident

Facts = Mapping[str, str | float | bool | None]


class NewsKind(StrEnum):
    """What has happened. STARTED: an engine was (re)started; RUNG: of the ladder beyond that.

    DRIFT: what a check for drift left is something else than before.
    """

    PHASE = "phase"
    STARTED = "started"
    INCIDENT_OPENED = "incident-opened"
    INCIDENT_JUDGED = "incident-judged"
    INCIDENT_CLOSED = "incident-closed"
    CONDITION_OPENED = "condition-opened"
    CONDITION_CLOSED = "condition-closed"
    RUNG_BEGUN = "rung-begun"
    RUNG_ENDED = "rung-ended"
    DRIFT = "drift"


class News(Value, frozen=True, kw_only=True):
    """One event. `id` has printable ASCII characters only, `at` is in seconds since 1970."""

    id: str
    at: float
    kind: NewsKind
    facts: Facts


def news(before: Snapshot | None, after: Snapshot) -> tuple[News, ...]:
    """Return what has happened between two snapshots, oldest first.

    Without one before: all that stands, and what is remembered of the past; whoever tells it on
    leaves out the ids that were told.
    """
    found = (
        *_engines(before, after),
        *_incidents(before, after),
        *_conditions(before, after),
        *_attempts(before, after),
        *_drift(before, after),
    )
    return tuple(sorted(found, key=lambda one: one.at))


def _engines(before: Snapshot | None, after: Snapshot) -> Iterator[News]:
    for name, engine in after.engines.items():
        state = engine.state
        known = before.engines.get(name) if before else None
        was = known.state if known else None
        if was is None or was.phase is not state.phase:
            facts = {"from": was.phase if was else None, "to": state.phase, **_said(name, state)}
            yield _news(NewsKind.PHASE, state.since, facts, name, state.phase, state.since)
        if state.last_start and (was is None or state.last_start > was.last_start):
            at = state.last_start
            yield _news(NewsKind.STARTED, at, _said(name, state), name, at)


def _said(name: str, state: EngineState) -> dict[str, str]:
    return {"engine": name, "reason": state.reason, "message": state.message, "by": state.by}


def _incidents(before: Snapshot | None, after: Snapshot) -> Iterator[News]:
    known = {one.id: one for one in (*before.incidents_closed, *before.incidents)} if before else {}
    for one in (*after.incidents, *_closed(before, after)):
        was = known.get(one.id)
        facts: Facts = {"incident": one.id, "group": one.group, "gpu": one.gpu, "xid": one.xid}
        if was is None or (was.closed and not one.closed):  # its text told more than its number
            text = next((item.text for item in one.evidence if item.text), "")
            told = {**facts, "of": one.kind, "evidence": text}
            yield _news(NewsKind.INCIDENT_OPENED, one.first, told, one.id)
        verdict, at = one.verdict, one.closed_at or after.at
        if verdict is not None and (was is None or was.verdict != verdict):
            parts = (verdict.remedy.value, verdict.reason, verdict.rule)
            said = dict(zip(("remedy", "reason", "rule"), parts, strict=True))
            told = {**facts, **said, "message": verdict.message}
            yield _news(NewsKind.INCIDENT_JUDGED, at, told, one.id, *parts)
        if one.closed is not None:
            told = {**facts, "how": one.closed, "by": one.by, "message": one.why}
            yield _news(NewsKind.INCIDENT_CLOSED, at, told, one.id, one.closed_at)


def _closed(before: Snapshot | None, after: Snapshot) -> Iterable[Incident]:
    """Those closed since; one that only came back into a window that others left was not."""
    if before is None or not before.incidents_closed:
        return after.incidents_closed
    known = {(one.id, one.closed_at) for one in before.incidents_closed}
    since = before.incidents_closed[0].closed_at or 0.0
    fresh = [one for one in after.incidents_closed if (one.id, one.closed_at) not in known]
    return [one for one in fresh if (one.closed_at or since) >= since]


def _conditions(before: Snapshot | None, after: Snapshot) -> Iterator[News]:
    was = _by_key(before.conditions) if before else {}
    now = _by_key(after.conditions)
    for key in now.keys() - was.keys():
        at = now[key].since
        yield _news(NewsKind.CONDITION_OPENED, at, _found(now[key]), *key)
    for key in was.keys() - now.keys():
        yield _news(NewsKind.CONDITION_CLOSED, after.at, _found(was[key]), *key)


def _by_key(conditions: Iterable[Condition]) -> dict[tuple[object, ...], Condition]:
    return {(one.check, one.subject, one.reason, one.since): one for one in conditions}


def _found(one: Condition) -> Facts:
    return {
        "check": one.check,
        "subject": one.subject,
        "status": one.status,
        "reason": one.reason,
        "message": one.message,
        "remedy": one.remedy.value,
    }


def _attempts(before: Snapshot | None, after: Snapshot) -> Iterator[News]:
    was = {_key(one): one for one in before.attempts} if before else {}
    for one in after.attempts:
        key, known = _key(one), was.get(_key(one))
        facts = {"rung": one.rung.value, "subject": one.subject, "reason": one.reason}
        if known is None:
            yield _news(NewsKind.RUNG_BEGUN, one.began, facts, *key)
        ended = one.outcome is not Outcome.RUNNING
        if ended and (known is None or known.outcome is Outcome.RUNNING):
            told = {**facts, "outcome": one.outcome, "message": one.message}
            yield _news(NewsKind.RUNG_ENDED, one.ended or one.began, told, *key)


def _drift(before: Snapshot | None, after: Snapshot) -> Iterator[News]:
    now = after.drift
    was = {one.what for one in before.drift.left} if before else set[str]()
    names = {one.what for one in now.left}
    if names != was and now.checked is not None and not now.problem:
        facts: Facts = {
            "left": "; ".join(sorted(names)),
            "new": "; ".join(sorted(names - was)),
            "gone": "; ".join(sorted(was - names)),
            "release": now.release,
        }
        at = now.since or now.checked
        yield _news(NewsKind.DRIFT, at, facts, *sorted(names), at)


def _key(one: Attempt) -> tuple[object, ...]:
    return (one.rung.value, one.subject, one.began)


def _news(kind: NewsKind, at: float, facts: Facts, *parts: object) -> News:
    identity = hashlib.sha256("\0".join(map(str, (kind, *parts))).encode()).hexdigest()[:20]
    return News(id=f"{kind}.{identity}", at=at, kind=kind, facts=facts)
