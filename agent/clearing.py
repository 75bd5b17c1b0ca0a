"""What the ladder asks of the engines: to make way for a rung, or to wait for a person. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from agent.attempts import Attempt, running
from agent.ladder import NODE, RUNGS, UNARMED, Step, disturbs
from agent.model import Condition, Remedy, Status
from agent.xid.standing import ANY_GPU, FABRIC

CHECK = "ladder"


def escalated(
    conditions: Sequence[Condition], found: Iterable[Step], attempts: Iterable[Attempt]
) -> tuple[Condition, ...]:
    """Return the conditions as the ladder leaves them to the engines.

    Where no rung is left a person is needed. Every engine that a coming rung disturbs is drained,
    and nothing is started on what one works on.
    """
    found = tuple(found)
    last = {one.subject: one for one in found if one.rung is Remedy.QUARANTINE}
    coming = (
        _clearing(one, min(need.since for need in conditions))
        for one in found
        if disturbs(one.rung, one.subject) and one.waits not in UNARMED
    )
    act = running(attempts)
    return (
        *(_given_up(one, last) for one in conditions),
        *coming,
        *([_under_way(act)] if act else ()),
    )


def _given_up(need: Condition, last: Mapping[str, Step]) -> Condition:
    if need.remedy not in RUNGS or need.subject not in last:
        return need
    return replace(need, remedy=Remedy.QUARANTINE, message=last[need.subject].message)


def _clearing(step: Step, since: float) -> Condition:
    all_gpus = step.rung is Remedy.RESET
    what, reason = ("GPUs are", "ResetPending") if all_gpus else ("host is", "RebootPending")
    message = f"the {what} to be {'reset' if all_gpus else 'rebooted'}: {step.message}"
    return _drain(ANY_GPU if all_gpus else NODE, reason, message, since)


def _under_way(act: Attempt) -> Condition:
    subject = ANY_GPU if act.subject == FABRIC else act.subject
    message = f"its {act.rung.value} is under way: {act.reason}"
    return _drain(subject, "RungUnderWay", message, act.began)


def _drain(subject: str, reason: str, message: str, since: float) -> Condition:
    return Condition(
        check=CHECK,
        subject=subject,
        status=Status.FAIL,
        reason=reason,
        message=message,
        remedy=Remedy.DRAIN,
        since=since,
    )
