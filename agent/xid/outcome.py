"""What a judgement comes to."""

from enum import StrEnum

from agent.model import Remedy, Status, Value
from agent.xid.catalogue import entry
from agent.xid.fault import KernelFault, Kind


class Scope(StrEnum):
    """Which GPUs the remedy touches."""

    GPU = "gpu"
    FABRIC = "fabric"  # all that share the NVLink fabric with it


class Verdict(Value, frozen=True, kw_only=True):
    """The least remedy that helps, and why.

    `later` is due at the next chance (the next drain), without a drain for its own sake.
    `hands_off`: call the driver about this GPU no more, it may never answer. `rule` names what
    decided; `drain_now` says to stop traffic before the companions are known.
    """

    gpu: str
    remedy: Remedy
    status: Status
    reason: str
    message: str
    rule: str
    drain_now: bool = False
    later: Remedy = Remedy.NONE
    scope: Scope = Scope.GPU
    hands_off: bool = False


_ACTS = {
    Remedy.NONE: "nothing to do now",
    Remedy.DRAIN: "keep requests away from it",
    Remedy.RESTART: "restart the engine",
    Remedy.RESET: "drain and reset it",
    Remedy.REBOOT: "drain and reboot the host",
    Remedy.QUARANTINE: "out of service until a person has looked at it",
}


def outcome(
    fault: KernelFault,
    remedy: Remedy,
    rule: str,
    why: str,
    *,
    reason: str = "",
    status: Status | None = None,
    later: Remedy = Remedy.NONE,
    fabric: bool = False,
    hands_off: bool = False,
) -> Verdict:
    """Return the verdict on a fault; the status follows from the remedy unless it is given."""
    return Verdict(
        gpu=fault.gpu,
        remedy=remedy,
        status=status or (Status.WARN if remedy is Remedy.NONE else Status.FAIL),
        reason=reason or title(fault),
        message=f"{subject(fault)}: {_ACTS[remedy]}" + (f" ({why})" if why else ""),
        rule=rule,
        drain_now=remedy > Remedy.NONE,
        later=later,
        scope=Scope.FABRIC if fabric else Scope.GPU,
        hands_off=hands_off,
    )


def harmless(fault: KernelFault, rule: str, reason: str, why: str) -> Verdict:
    """Return the verdict that a fault is none of this GPU's."""
    return outcome(fault, Remedy.NONE, rule, why, reason=reason, status=Status.OK)


def title(fault: KernelFault) -> str:
    """Return the fault as a reason token."""
    return f"SXid{fault.xid}" if fault.kind is Kind.SXID else entry(fault.xid).title


def subject(fault: KernelFault) -> str:
    """Return how a sentence begins that is about the fault."""
    if fault.kind is Kind.SXID:
        return f"SXid {fault.xid} on NVSwitch {fault.gpu}"
    return f"Xid {fault.xid} on GPU {fault.gpu}"
