"""All incidents as one frozen value that folds faults, verdicts and evidence. It lies on disk.

An incident is closed by evidence: the driver's None, a reset that was seen, another boot, an
engine that proved itself after its restart, or a named person. A verdict that calls for a person
is a latch: only a person opens it. Time alone closes nothing.
"""

import msgspec

from agent.model import Remedy, Value
from agent.xid.context import WEEK, Past
from agent.xid.fault import Action, KernelFault, Kind, Source
from agent.xid.incident import Closed, Incident, merged, opened, reset, shut
from agent.xid.outcome import Verdict

SAME = 2.0  # seconds within which two sources tell of the same fault
COMPANIONS = 5.0  # seconds within which the faults of one GPU belong together
KEPT_CLOSED = 500  # incidents
KEPT_OPEN = 200

_RESETTABLE = frozenset({Remedy.DRAIN, Remedy.RESET})
_RECOVERABLE = frozenset({Remedy.DRAIN, Remedy.RESET, Remedy.REBOOT})
_RESTARTABLE = frozenset({Remedy.RESTART})


class Ledger(Value, frozen=True, kw_only=True):
    """The incidents. `read`: the last kernel record of this boot that was taken in.

    The kernel's log is read in order, so what is not after `read` was seen before.
    """

    boot: str = ""
    read: int = -1
    open: tuple[Incident, ...] = ()
    closed: tuple[Incident, ...] = ()


def fold(
    ledger: Ledger,
    fault: KernelFault,
    now: float,
    *,
    same: float = SAME,
    companions: float = COMPANIONS,
) -> Ledger:
    """Take in one fault from either source; a record that was seen before changes nothing."""
    ledger = booted(ledger, fault.boot, now)
    if known(ledger, fault):
        return ledger
    if fault.source is Source.KERNEL and fault.seq is not None:
        ledger = msgspec.structs.replace(ledger, read=fault.seq)
    if fault.kind is Kind.RESET:
        noted = tuple(reset(one, fault) for one in ledger.open)
        ledger = msgspec.structs.replace(ledger, open=noted)
        return _close(ledger, fault, Closed.RESET, _RESETTABLE, now)
    twin = _twin(ledger, fault, same)
    if twin is None:
        ledger = _opened(ledger, fault, companions, now)
    else:
        ledger = _put(ledger, merged(_again(twin, fault), fault), now)
    if fault.action is Action.NONE:
        return _close(ledger, fault, Closed.DRIVER, _RECOVERABLE, now)
    return ledger


def known(ledger: Ledger, fault: KernelFault) -> bool:
    """Return whether the fault is a kernel record that was taken in before."""
    told = fault.source is Source.KERNEL and fault.boot == ledger.boot
    return told and fault.seq is not None and fault.seq <= ledger.read


def news(ledger: Ledger, fault: KernelFault, *, same: float = SAME) -> bool:
    """Return whether the fault says what was not known: only then it needs to be looked at.

    A storm of the same line is not.
    """
    if known(ledger, fault):
        return False
    twin = _twin(ledger, fault, same)
    return twin is None or twin.adds(fault)


def booted(ledger: Ledger, boot: str, now: float) -> Ledger:
    """Take in that the host has started: all but latches closes, and sequences start over."""
    if boot == ledger.boot:
        return ledger
    fresh = msgspec.structs.replace(ledger, boot=boot, read=-1)
    for one in ledger.open:
        if not one.latched:
            fresh = _put(fresh, shut(one, Closed.BOOT, now), now)
    return fresh


def suspected(ledger: Ledger, fault: KernelFault) -> Ledger:
    """Take in that a fault is a credible fatal sign, whatever else is to be told of it."""
    mine = [one for one in ledger.open if one.like(fault) and one.verdict is None]
    if not mine:
        return ledger
    nearest = min(mine, key=lambda one: one.apart(fault))
    return _put(ledger, msgspec.structs.replace(nearest, suspect=True), fault.at)


def judged(
    ledger: Ledger, group: str, verdict: Verdict, pids: frozenset[int] | None, now: float
) -> Ledger:
    """Take in the verdict on a group; one that asks for nothing closes it.

    `pids` are the engine's, None = not known. A later verdict does not lift a latch.
    """
    for one in members(ledger, group):
        if not one.latched:
            fresh = msgspec.structs.replace(one, verdict=verdict, ours=one.owner(pids))
            harmless = verdict.remedy is Remedy.NONE
            if harmless or (one.mended and verdict.remedy in _RESETTABLE):
                fresh = shut(fresh, Closed.HARMLESS if harmless else Closed.RESET, now)
            ledger = _put(ledger, fresh, now)
    return ledger


def proven(ledger: Ledger, gpu: str, restarted: float, now: float) -> Ledger:
    """Take in that an engine on the GPU, restarted at `restarted`, has proved itself healthy."""
    for one in _needing(ledger, gpu, restarted, _RESTARTABLE):
        ledger = _put(ledger, shut(one, Closed.PROVEN, now), now)
    return ledger


def acknowledged(ledger: Ledger, incident: str, by: str, why: str, now: float) -> Ledger:
    """Take in that a named person has dealt with an incident; this is what opens a latch."""
    for one in ledger.open:
        if one.id == incident:
            done = msgspec.structs.replace(shut(one, Closed.PERSON, now), by=by, why=why)
            ledger = _put(ledger, done, now)
    return ledger


def ripe(ledger: Ledger, now: float, companions: float = COMPANIONS) -> tuple[str, ...]:
    """Return the groups whose companion window is over and that have no verdict yet."""
    begun: dict[str, float] = {}
    for one in ledger.open:
        if one.verdict is None:
            begun[one.group] = min(one.first, begun.get(one.group, one.first))
    waited = [(at, group) for group, at in begun.items() if now - at >= companions]
    return tuple(group for _, group in sorted(waited))


def holding(ledger: Ledger) -> frozenset[str]:
    """Return the GPUs that something open keeps out of service, or may: it is not judged yet."""
    return frozenset(one.gpu for one in ledger.open if not one.settles)


def members(ledger: Ledger, group: str) -> tuple[Incident, ...]:
    """Return the open incidents of a group."""
    return tuple(one for one in ledger.open if one.group == group)


def faults(ledger: Ledger, group: str) -> tuple[KernelFault, ...]:
    """Return all that was told about the open incidents of a group: what `judge` takes."""
    told = [fault for one in members(ledger, group) for fault in one.faults]
    return tuple(sorted(told, key=lambda fault: fault.at))


def history(ledger: Ledger, leaving: str = "") -> tuple[Past, ...]:
    """Return the past for the repeat rules, without the group that is being judged."""
    known = [one for one in (*ledger.closed, *ledger.open) if one.group != leaving]
    return tuple(one.past for one in sorted(known, key=lambda one: one.first))


def _twin(ledger: Ledger, fault: KernelFault, same: float) -> Incident | None:
    since, until = fault.at - same, fault.at + same
    near = [
        one
        for one in (*ledger.open, *ledger.closed)
        if one.last >= since and one.first <= until and one.like(fault) and _may_grow(one, fault)
    ]
    return min(near, key=lambda one: one.apart(fault), default=None)


def _may_grow(one: Incident, fault: KernelFault) -> bool:
    """Whether the fault may still join: a verdict must have seen all that could change it."""
    waiting = one.verdict is None and one.closed is None
    return waiting or one.wordless or not one.adds(fault)


def _again(one: Incident, fault: KernelFault) -> Incident:
    """Open an incident again that was judged by its bare number, now that its text is here."""
    if one.latched or not (one.wordless and one.adds(fault)):
        return one
    return msgspec.structs.replace(one, verdict=None, closed=None, closed_at=None)


def _opened(ledger: Ledger, fault: KernelFault, companions: float, now: float) -> Ledger:
    stem = f"{fault.gpu.replace(':', '')}-{fault.kind.value}{fault.xid}-{fault.at * 1000:.0f}"
    taken = {one.id for one in (*ledger.open, *ledger.closed)}
    tries = (stem, *(f"{stem}.{n}" for n in range(1, len(taken) + 1)))
    name = next(name for name in tries if name not in taken)
    near = [
        one
        for one in ledger.open
        if one.gpu == fault.gpu and one.verdict is None and one.apart(fault) <= companions
    ]
    leaders = [one for one in near if abs(fault.at - _begun(ledger, one.group)) <= companions]
    ledger = _put(ledger, opened(fault, name, leaders[0].group if leaders else name), now)
    if len(ledger.open) <= KEPT_OPEN:
        return ledger
    oldest = min(ledger.open, key=lambda one: (one.latched, one.first))
    return _put(ledger, shut(oldest, Closed.CROWDED, now), now)


def _begun(ledger: Ledger, group: str) -> float:
    return min(one.first for one in members(ledger, group))


def _close(
    ledger: Ledger, fault: KernelFault, how: Closed, remedies: frozenset[Remedy], now: float
) -> Ledger:
    for one in _needing(ledger, fault.gpu, fault.at, remedies):
        ledger = _put(ledger, shut(one, how, now), now)
    return ledger


def _needing(
    ledger: Ledger, gpu: str, before: float, remedies: frozenset[Remedy]
) -> list[Incident]:
    """Return what began on the GPU by `before` and was judged to need one of `remedies`."""
    return [
        one
        for one in ledger.open
        if one.gpu == gpu
        and one.first <= before
        and one.verdict is not None
        and one.verdict.remedy in remedies
    ]


def _put(ledger: Ledger, one: Incident, now: float) -> Ledger:
    """Put an incident in its place, instead of what it was before."""
    at = next((at for at, other in enumerate(ledger.open) if other.id == one.id), None)
    if one.closed is None and at is not None:
        changed = (*ledger.open[:at], one, *ledger.open[at + 1 :])
        return msgspec.structs.replace(ledger, open=changed)
    still = tuple(other for other in ledger.open if other.id != one.id)
    gone = tuple(other for other in ledger.closed if other.id != one.id)
    if one.closed is None:
        return msgspec.structs.replace(ledger, open=(*still, one), closed=gone)
    kept = tuple(other for other in (*gone, one) if (other.closed_at or now) > now - WEEK)
    return msgspec.structs.replace(ledger, open=still, closed=kept[-KEPT_CLOSED:])
