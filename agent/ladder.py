"""The ladder beyond an engine's restart: which GPU to reset, whether to reboot, when to stop. Pure.

    RESET ──failed, or twice a day──▶ REBOOT ──failed, or spent──▶ QUARANTINE

A rung that failed is not tried again for the same subject until a day has passed. Faults of many
GPUs in one minute have a common cause: then no GPU is reset by itself, one reboot is due, or a
person. A pending reboot absorbs every reset. What is not armed is only advised, and so is what
would disturb engines that serve for a fault from which no engine suffers.

attempts    the rungs that were begun
clearing    what the ladder asks of the engines
"""

from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from agent.attempts import DAY, Attempt, Outcome, recent, running
from agent.model import Condition, Remedy, Value
from agent.xid.standing import FABRIC

__all__ = ["Attempt", "Outcome", "Rules", "Step", "judged", "ordered", "steps"]

HOUR = 3600.0
COMMON_CAUSE = 60.0  # seconds
SETTLING = 30.0  # seconds after a rung in which its effect may still show
NODE = "node"
RUNGS = (Remedy.RESET, Remedy.REBOOT)
# Such a step may never come: it absorbs nothing, and no engine that works is disturbed for it.
BARRED = frozenset({"NotArmed", "BreakerOpen", "Unused", "PersonAtWork", "Inhibited"})
UNARMED = BARRED | {"NoSlot"}  # nothing is drained or stopped for such a step


class Rules(Value, frozen=True, kw_only=True):
    """What the operator allows. Seconds and counts."""

    act: bool
    arm_reset: bool
    arm_reboot: bool
    resets_per_day: int
    reboots_per_day: int
    reboots_per_week: int
    verify_window: float
    acts_per_hour: int
    companions: float  # in which more may be told of a fault


class Step(Value, frozen=True, kw_only=True):
    """The next rung for a subject. `waits` is the reason why it may not begin; "" = it may.

    `subject` is `gpu:UUID`, all of the fabric, or the node.
    """

    rung: Remedy
    subject: str
    reason: str
    message: str
    waits: str = ""


def judged(
    conditions: Iterable[Condition],
    attempts: Sequence[Attempt],
    rules: Rules,
    gpus: int,
    now: float,
) -> tuple[Attempt, ...]:
    """Return the attempts with those that did not help as failed.

    This is to be remembered: since when a fault stands is forgotten when the agent ends.
    """
    needs = _needs(conditions)
    common = _common_cause(needs, gpus)
    for need in needs:
        if need.remedy is Remedy.RESET:
            attempts = _proved(Remedy.RESET, need, attempts, rules, now)
        if _rung(need, attempts, rules, now, common=common)[0] is not Remedy.RESET:
            attempts = _proved(Remedy.REBOOT, need, attempts, rules, now)
    return tuple(attempts)


def steps(
    conditions: Iterable[Condition],
    attempts: Sequence[Attempt],
    rules: Rules,
    gpus: int,
    needed: Collection[str],
    now: float,
) -> tuple[Step, ...]:
    """Return the next rung for every subject that has one, after `judged`.

    `needed`: the subjects that some engine depends on and cannot do without.
    """
    needs = _needs(conditions)
    common = _common_cause(needs, gpus)
    return _worst(_step(one, attempts, rules, needed, now, common=common) for one in needs)


def ordered(found: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps, those that may begin first.

    A reboot that may come absorbs every reset, and one of all GPUs those of single ones.
    """
    coming = [one for one in found if disturbs(one.rung, one.subject) and one.waits not in BARRED]
    reboot = any(one.rung is Remedy.REBOOT for one in coming)
    if coming:
        kept = () if reboot else coming
        found = [one for one in found if one.rung is not Remedy.RESET or one in kept]
    return tuple(sorted(found, key=lambda one: (bool(one.waits), -one.rung.rank, one.subject)))


def disturbs(rung: Remedy, subject: str) -> bool:
    """Whether a rung takes the ground from engines that the fault itself does not touch."""
    return rung is Remedy.REBOOT or (rung is Remedy.RESET and subject == FABRIC)


def _needs(conditions: Iterable[Condition]) -> list[Condition]:
    return [one for one in conditions if one.remedy in RUNGS]


def _step(
    need: Condition,
    attempts: Sequence[Attempt],
    rules: Rules,
    needed: Collection[str],
    now: float,
    *,
    common: bool,
) -> Step:
    rung, why = _rung(need, attempts, rules, now, common=common)
    subject = _subject(rung, need)
    message = f"{need.message} ({why})" if why else need.message
    waits = _waits(rung, subject, attempts, rules, now)
    if not waits and rung in RUNGS and 0 <= now - need.since < rules.companions:
        waits = "Companions"
    if disturbs(rung, subject) and need.subject not in needed and waits != "NotArmed":
        waits = "Unused"
    return Step(rung=rung, subject=subject, reason=need.reason, message=message, waits=waits)


def _rung(
    need: Condition, attempts: Sequence[Attempt], rules: Rules, now: float, *, common: bool
) -> tuple[Remedy, str]:
    """Return the rung that is next for a fault, and why it is not the one that it asks for."""
    rung, why = need.remedy, ""
    if common and rung is Remedy.RESET:
        rung, why = Remedy.REBOOT, "several GPUs failed within a minute: a common cause"
    if rung is Remedy.RESET and (blocked := _blocked(rung, need, attempts, rules, now)):
        rung, why = Remedy.REBOOT, blocked
    if rung is Remedy.REBOOT and (blocked := _blocked(rung, need, attempts, rules, now)):
        rung, why = Remedy.QUARANTINE, blocked
    return rung, why


def _blocked(
    rung: Remedy, need: Condition, attempts: Sequence[Attempt], rules: Rules, now: float
) -> str:
    """Return why the rung is not to be tried (again), "" if it may."""
    tried = [one for one in recent(attempts, now) if _about(one, rung, _subject(rung, need))]
    for one in tried:
        stood = need.since <= one.began
        if one.outcome is Outcome.FAILED and (stood or now - one.began < DAY):
            return f"its {rung.value} failed: {one.message}"
    today = sum(now - one.began < DAY for one in tried)
    if rung is Remedy.RESET and today >= rules.resets_per_day:
        return f"{today} resets within a day"
    if rung is Remedy.REBOOT and today >= rules.reboots_per_day:
        return f"{today} reboots within a day"
    if rung is Remedy.REBOOT and len(tried) >= rules.reboots_per_week:
        return f"{len(tried)} reboots within a week"
    return ""


def _proved(
    rung: Remedy, need: Condition, attempts: Sequence[Attempt], rules: Rules, now: float
) -> tuple[Attempt, ...]:
    subject, message = _subject(rung, need), f"it did not help: {need.message}"
    return tuple(
        replace(one, outcome=Outcome.FAILED, message=message)
        if _about(one, rung, subject) and _came_back(one, need, rules, now)
        else one
        for one in attempts
    )


def _came_back(done: Attempt, need: Condition, rules: Rules, now: float) -> bool:
    """Whether a fault stands although its remedy was carried out, or is back soon after it."""
    if done.outcome is not Outcome.DONE:
        return False
    ended = done.ended or done.began
    if need.since > now:  # the clock was set back, so which of the two came first is not known
        return SETTLING <= now - ended < rules.verify_window
    if need.since > ended:
        return need.since - ended < rules.verify_window
    return now - ended >= SETTLING


def _waits(
    rung: Remedy, subject: str, attempts: Sequence[Attempt], rules: Rules, now: float
) -> str:
    if rung is Remedy.QUARANTINE:
        return ""
    armed = rules.arm_reset if rung is Remedy.RESET else rules.arm_reboot
    if not (armed and rules.act):
        return "NotArmed"
    if running(attempts):
        return "AnotherAct"
    if any(_about(one, rung, subject) and _settles(one, now) for one in attempts):
        return "Settling"
    if sum(now - one.began < HOUR for one in attempts) >= rules.acts_per_hour:
        return "BreakerOpen"
    return ""


def _settles(one: Attempt, now: float) -> bool:
    return one.outcome is Outcome.DONE and now - (one.ended or one.began) < SETTLING


def _about(one: Attempt, rung: Remedy, subject: str) -> bool:
    """Whether an attempt was this rung for this subject; all of the fabric is every GPU."""
    return one.rung is rung and one.subject in {subject, FABRIC}


def _subject(rung: Remedy, need: Condition) -> str:
    return NODE if rung is Remedy.REBOOT else need.subject


def _common_cause(needs: Sequence[Condition], gpus: int) -> bool:
    """Whether more than one GPU, and more than half of all, failed within a minute."""
    begun: dict[str, float] = {}
    for one in needs:
        if one.subject.startswith("gpu:"):
            begun[one.subject] = min(one.since, begun.get(one.subject, one.since))
    near = [
        sum(0 <= other - at <= COMMON_CAUSE for other in begun.values()) for at in begun.values()
    ]
    return max(near, default=0) > max(1, gpus // 2)


def _worst(found: Iterable[Step]) -> tuple[Step, ...]:
    """Keep one reboot, and one step a subject: the highest rung, of equals one that may come."""
    kept: dict[str, Step] = {}
    for one in found:
        key = "reboot" if one.rung is Remedy.REBOOT else one.subject
        known, rank = kept.get(key), (one.rung.rank, one.waits not in BARRED)
        if known is None or rank > (known.rung.rank, known.waits not in BARRED):
            kept[key] = one
    return tuple(kept.values())
