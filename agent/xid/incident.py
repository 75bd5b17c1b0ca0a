"""An incident: one fault of one GPU, with all that was told about it and what became of it."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from agent.model import Remedy, Status, Value
from agent.xid.context import Past
from agent.xid.fault import Action, KernelFault, Kind, Source
from agent.xid.outcome import Verdict

KEPT_FAULTS = 16  # different tellings of one incident
KEPT_EVIDENCE = 8


class Closed(StrEnum):
    """The evidence that closed an incident."""

    HARMLESS = "harmless"  # judged: there is nothing to do
    DRIVER = "driver-asks-nothing"
    RESET = "reset-seen"
    BOOT = "boot"
    PROVEN = "engine-proven"
    PERSON = "person"
    CROWDED = "crowded-out"  # too many are open; the oldest that is no latch has to go


class Evidence(Value, frozen=True, kw_only=True):
    """One line or event that told of the incident."""

    at: float
    source: Source
    seq: int | None = None
    text: str = ""


class Incident(Value, frozen=True, kw_only=True, omit_defaults=True):
    """One fault. `group` is the id of the first incident of its companion window.

    `ours`: it hit an engine's process. `suspect`: it was a credible fatal sign at first sight.
    `reset`: when the GPU was reset, if that was before it was judged.
    `by` and `why` are those of the person who closed it.
    """

    id: str
    group: str
    gpu: str
    xid: int
    kind: Kind
    boot: str
    first: float
    last: float
    count: int = 1
    faults: tuple[KernelFault, ...]
    evidence: tuple[Evidence, ...]
    ours: bool | None = None
    suspect: bool = False
    reset: float | None = None
    verdict: Verdict | None = None
    closed: Closed | None = None
    closed_at: float | None = None
    by: str = ""
    why: str = ""

    @property
    def latched(self) -> bool:
        """Whether only a person may close it."""
        return self.verdict is not None and self.verdict.remedy is Remedy.QUARANTINE

    @property
    def fatal(self) -> bool:
        """Whether it took the GPU out of service."""
        if self.verdict is None or self.verdict.rule == "override":
            return False
        return self.verdict.remedy not in {Remedy.NONE, Remedy.RESTART}

    @property
    def past(self) -> Past:
        """What the repeat rules need of it."""
        told = self.faults[0]
        return Past(
            gpu=self.gpu,
            xid=self.xid,
            at=self.first,
            ours=self.ours,
            fatal=self.fatal,
            harmless=self.verdict is not None and self.verdict.status is Status.OK,
            place=told.place,
            link=told.link,
        )

    @property
    def settles(self) -> bool:
        """Whether it is the driver's word that nothing more is needed."""
        return self.faults[-1].action is Action.NONE

    @property
    def mended(self) -> bool:
        """Whether the GPU was reset after all that was told."""
        return self.reset is not None and self.last <= self.reset

    def like(self, fault: KernelFault) -> bool:
        """Whether the fault is about the same GPU, number and boot."""
        mine = (self.gpu, self.xid, self.kind, self.boot)
        return mine == (fault.gpu, fault.xid, fault.kind, fault.boot)

    def apart(self, fault: KernelFault) -> float:
        """Return the seconds between the incident and the fault; 0 while it lasts."""
        return max(self.first - fault.at, fault.at - self.last, 0.0)

    @property
    def wordless(self) -> bool:
        """Whether only numbers have told of it, and no text."""
        return all(told.source is Source.DRIVER for told in self.faults)

    def adds(self, fault: KernelFault) -> bool:
        """Whether the fault says something that could change the verdict."""
        if fault.source is Source.DRIVER:  # a number adds nothing to a number or a text
            return False
        return self.wordless or all(fault.details != told.details for told in self.faults)

    def owner(self, pids: frozenset[int] | None) -> bool | None:
        """Whether it hit one of the processes `pids`; None = not known."""
        hit = {told.pid for told in self.faults if told.pid is not None}
        if pids is None or not hit:
            return None
        return bool(hit & pids)


def opened(fault: KernelFault, name: str, group: str) -> Incident:
    """Return the incident that begins with a fault."""
    return Incident(
        id=name,
        group=group,
        gpu=fault.gpu,
        xid=fault.xid,
        kind=fault.kind,
        boot=fault.boot,
        first=fault.at,
        last=fault.at,
        faults=(fault,),
        evidence=(_evidence(fault),),
    )


def merged(one: Incident, fault: KernelFault) -> Incident:
    """Return the incident with one more telling of it."""
    told = one.faults
    if fault.source is Source.KERNEL:
        told = tuple(other for other in told if other.source is Source.KERNEL) or (fault,)
    if one.adds(fault) and fault not in told:
        told = _kept((*told, fault))
    return msgspec.structs.replace(
        one,
        first=min(one.first, fault.at),
        last=max(one.last, fault.at),
        count=one.count + 1,
        faults=told,
        evidence=_first_and_last((*one.evidence, _evidence(fault))),
    )


def reset(one: Incident, seen: KernelFault) -> Incident:
    """Return the incident with the reset of its GPU noted, if it is still to be judged.

    It is no end yet: the verdict may call for a person nevertheless.
    """
    cured = one.gpu == seen.gpu and one.first <= seen.at and one.verdict is None
    return msgspec.structs.replace(one, reset=seen.at) if cured else one


def shut(one: Incident, how: Closed, now: float) -> Incident:
    """Return the incident, closed."""
    return msgspec.structs.replace(one, closed=how, closed_at=now)


def _kept(told: Iterable[KernelFault]) -> tuple[KernelFault, ...]:
    """Bound the tellings; what is fatal must not be crowded out by what is not."""
    return tuple(sorted(told, key=lambda fault: fault.fatal is not True))[:KEPT_FAULTS]


def _first_and_last(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    if len(evidence) <= KEPT_EVIDENCE:
        return evidence
    half = KEPT_EVIDENCE // 2
    return (*evidence[:half], *evidence[-half:])


def _evidence(fault: KernelFault) -> Evidence:
    return Evidence(at=fault.at, source=fault.source, seq=fault.seq, text=fault.text[:300])
