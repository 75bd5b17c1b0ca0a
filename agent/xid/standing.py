"""What the open incidents ask of the engines: conditions for each group that stands. Pure."""

from collections.abc import Iterator, Mapping

from agent.model import Condition, Remedy, Status
from agent.xid import ledger as book
from agent.xid.fault import FELL_OFF, KernelFault, Kind
from agent.xid.incident import Incident
from agent.xid.ledger import Ledger
from agent.xid.outcome import Scope, title
from agent.xid.outcome import subject as named

CHECK = "xid"
ANY_GPU = "gpu:unknown"  # it is not said which, or none was ever seen: it may be any engine's
FABRIC = "fabric"  # all that share the NVLink fabric
# The GPU is gone, or its memory or firmware is not to be trusted: no request on it can finish.
FATAL = frozenset({FELL_OFF, 95, 119, 120})


def conditions(ledger: Ledger, buses: Mapping[str, str]) -> tuple[Condition, ...]:
    """Return what stands. `buses`: bus id → UUID of every GPU that was ever seen here.

    A group that is not judged yet asks for a drain if one of its incidents is suspect; the remedy
    is chosen when its companion window is over.
    """
    groups = dict.fromkeys(one.group for one in ledger.open)
    return tuple(one for group in groups for one in _of(ledger, group, buses))


def place(fault_gpu: str, kind: Kind, scope: Scope, buses: Mapping[str, str]) -> str:
    """Return the subject of a fault: a GPU by its UUID, or all GPUs of the fabric."""
    if kind is Kind.SXID or scope is Scope.FABRIC:
        return FABRIC
    if fault_gpu in buses:
        return f"gpu:{buses[fault_gpu]}"
    return f"gpu:{fault_gpu}" if fault_gpu and buses else ANY_GPU


def _of(ledger: Ledger, group: str, buses: Mapping[str, str]) -> Iterator[Condition]:
    members = book.members(ledger, group)
    judged = next((one for one in members if one.verdict is not None), None)
    suspect = next((one for one in members if one.suspect), None)
    if judged is not None:
        yield from _standing(judged, members, buses)
    elif suspect is not None and not members[-1].settles:
        yield _awaiting(suspect.faults[0], members, buses)


def _awaiting(
    sign: KernelFault, members: tuple[Incident, ...], buses: Mapping[str, str]
) -> Condition:
    return Condition(
        check=CHECK,
        subject=place(sign.gpu, sign.kind, Scope.GPU, buses),
        status=Status.FAIL,
        reason=title(sign),
        message=f"{named(sign)}: no new requests while its company is awaited",
        remedy=Remedy.DRAIN,
        since=members[0].first,
        fatal=_fatal(sign),
        evidence=sign.text or f"NVML event: Xid {sign.xid}",
    )


def _standing(
    judged: Incident, members: tuple[Incident, ...], buses: Mapping[str, str]
) -> Iterator[Condition]:
    """A fault of the fabric is also one of the GPU itself, whose engine may use no link."""
    verdict = judged.verdict
    if verdict is None or verdict.remedy is Remedy.NONE:
        return
    places = (place(judged.gpu, judged.kind, one, buses) for one in (verdict.scope, Scope.GPU))
    for subject in dict.fromkeys(places):
        yield Condition(
            check=CHECK,
            subject=subject,
            status=verdict.status,
            reason=verdict.reason,
            message=verdict.message,
            remedy=verdict.remedy,
            since=min(one.first for one in members),
            fatal=verdict.hands_off or any(_fatal(told) for one in members for told in one.faults),
            evidence=next(_evidence(members), ""),
        )


def _evidence(members: tuple[Incident, ...]) -> Iterator[str]:
    return (item.text for one in members for item in one.evidence if item.text)


def _fatal(fault: KernelFault) -> bool:
    return fault.kind is Kind.XID and fault.xid in FATAL
