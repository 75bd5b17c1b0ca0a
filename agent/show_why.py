"""An explanation as text for people at 3 a.m., at most 100 columns wide."""

from collections.abc import Iterator
from datetime import UTC, datetime

from agent.audit import Record
from agent.ladder import Attempt
from agent.model import AGENT, Condition
from agent.show import age, fit
from agent.why import Explanation, Waiting
from agent.xid.incident import Incident


def why(told: Explanation, now: float) -> str:
    """Return what `stokerctl why` prints of one engine; `now` in seconds since 1970."""
    state = told.state
    lines = [
        f"{told.engine}: {state.phase} for {age(now - state.since)}, since {clock(state.since)}, "
        f"by {state.by}",
        f"  {state.reason}: {state.message}",
    ]
    if state.deadline is not None:
        lines.append(f"  at the latest at {clock(state.deadline)}")
    parts = (
        ("because", [line for one in told.conditions for line in _condition(one)]),
        ("incidents", [_incident(one) for one in told.incidents]),
        ("due", [line for one in told.waiting for line in _waiting(one)]),
        ("tried", [_attempt(one) for one in told.tried]),
        ("next", [f"  {told.next}"]),
        ("to release it, when all is well", [f"  {line}" for line in told.release]),
        ("decisions, the last one last", [_record(one) for one in told.decisions]),
    )
    for title, found in parts:
        lines += [title, *found] if found else []
    return fit(lines)


def clock(at: float) -> str:
    """Return an instant as the audit log's readers need it: date and time, UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _condition(one: Condition) -> Iterator[str]:
    yield f"  ! {one.subject} {one.reason}: {one.message}"
    if one.evidence:
        yield f"      {one.evidence}"


def _incident(one: Incident) -> str:
    if one.verdict is None:
        return f"  {one.id}: told {_times(one.count)}; its company is awaited"
    latch = "; only a person may close it" if one.latched else ""
    return f"  {one.id}: told {_times(one.count)}; needs {one.verdict.remedy.value}{latch}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _waiting(one: Waiting) -> Iterator[str]:
    token = f" ({one.reason})" if one.reason else ""
    yield f"  {one.rung.value} of {one.subject}: {one.why}{token}"
    if one.advice:
        yield f"      {one.advice}"


def _attempt(one: Attempt) -> str:
    message = f": {one.message}" if one.message else ""
    return (
        f"  {clock(one.began)}  {one.rung.value} of {one.subject} for {one.reason}: "
        f"{one.outcome}{message}"
    )


def _record(one: Record) -> str:
    what = {
        "request": f"asks to {one.verb}: {one.reason}",
        "decision": f"{one.phase} {one.reason}{' (start)' if one.start else ''}: {one.message}",
        "verdict": f"{one.remedy}: {one.message}",
        "acknowledged": f"closes incident {one.incident}: {one.reason}",
    }.get(one.event) or _other(one)
    return f"  {clock(one.at)}  {one.by or AGENT}  {what}"


def _other(one: Record) -> str:
    of = f" {one.rung} of {one.subject}" if one.rung else ""
    facts = (one.outcome, one.reason, one.message)
    return f"{one.event}{of}: {' '.join(fact for fact in facts if fact)}"
