"""From the faults of one GPU to one verdict: the driver's own word, then ours, worst first."""

from collections.abc import Sequence

import msgspec

from agent.model import Remedy, Status
from agent.xid import nvlink5, repeats
from agent.xid.context import Context
from agent.xid.fault import Action, KernelFault, Kind, Source
from agent.xid.general import general
from agent.xid.outcome import Scope, Verdict, harmless, outcome
from agent.xid.rules import RULES, switch

__all__ = ["OBEYED", "Scope", "Verdict", "first", "judge"]

CHANGED = 154
# Without their text these mean anything from nothing to a reset; the kernel's line is on its way.
TEXT_DECIDES = nvlink5.NUMBERS | {74, CHANGED}

# What the driver asks for, on our ladder. An IMEX domain spans hosts: no remedy of this GPU.
OBEYED = {
    Action.NONE: Remedy.NONE,
    Action.GPU_RESET: Remedy.RESET,
    Action.NODE_REBOOT: Remedy.REBOOT,
    Action.DRAIN_P2P: Remedy.DRAIN,
    Action.DRAIN_AND_RESET: Remedy.RESET,
    Action.RECOVER_IMEX: Remedy.NONE,
    Action.BUS_RESET: Remedy.RESET,
    Action.SYSTEM_REBOOT: Remedy.REBOOT,
}


def first(fault: KernelFault, context: Context) -> bool:
    """Say whether a fault is a credible fatal sign: stop traffic now, think about it later."""
    if fault.source is Source.DRIVER and fault.xid in TEXT_DECIDES:
        return False
    return judge((fault,), context).drain_now


def judge(group: Sequence[KernelFault], context: Context) -> Verdict:
    """Judge all faults of one GPU within the companion window (at least one).

    The driver's word is obeyed before all else, and its None clears what came before it. A
    human is still called where the GPU's past demands one.
    """
    faults = sorted((one for one in group if one.kind is not Kind.RESET), key=lambda one: one.at)
    faults = _attributed(faults)
    cleared = _cleared(faults, context)
    faults = faults[cleared:] if cleared < len(faults) else faults[-1:]
    found = max((_one(one, faults, context) for one in faults), key=_weight)
    told = _driver(faults, context)
    if told and found.remedy is not Remedy.QUARANTINE:
        found = msgspec.structs.replace(told, scope=found.scope, hands_off=found.hands_off)
    return _limited(faults[-1], found, context)


def _attributed(faults: Sequence[KernelFault]) -> list[KernelFault]:
    """Give lines without a process that of their companion: 13 names it in its last line only."""
    pids = {(one.kind, one.xid): one.pid for one in faults if one.pid is not None}
    return [
        one
        if one.pid is not None
        else msgspec.structs.replace(one, pid=pids.get((one.kind, one.xid)))
        for one in faults
    ]


def _one(fault: KernelFault, group: Sequence[KernelFault], context: Context) -> Verdict:
    ordered = context.overrides.get(fault.xid)
    if fault.kind is Kind.SXID:
        return switch(fault, context)
    if ordered is Remedy.NONE:
        return harmless(fault, "override", "Ignored", "ignored by order of the operator")
    if ordered is not None:
        return outcome(fault, ordered, "override", "by order of the operator")
    if fault.xid == CHANGED and fault.action is not None:
        return _obey(fault, fault.action)
    rule = RULES.get(fault.xid)
    return rule(fault, group, context) if rule else general(fault, context)


def _cleared(faults: Sequence[KernelFault], context: Context) -> int:
    """Return how many faults, from the first on, the driver's last None has settled."""
    if CHANGED in context.overrides:
        return 0
    told = [at for at, one in enumerate(faults) if one.xid == CHANGED and one.action is not None]
    return told[-1] + 1 if told and faults[told[-1]].action is Action.NONE else 0


def _driver(faults: Sequence[KernelFault], context: Context) -> Verdict | None:
    """Return what the driver asks for: by the last Xid 154, else by field 230 when it was read."""
    told = [one for one in faults if one.xid == CHANGED and one.action is not None]
    if told and CHANGED not in context.overrides:
        fault, action = told[-1], told[-1].action
    else:
        fault, action = faults[-1], context.recovery
    if action is None or OBEYED[action] is Remedy.NONE:
        return None
    return _obey(fault, action)


def _obey(fault: KernelFault, action: Action) -> Verdict:
    name = "".join(part.capitalize() for part in action.name.split("_"))
    if action is Action.NONE:
        return harmless(fault, "driver", "DriverAsksNothing", "the driver asks for nothing more")
    why = f"the driver asks for it: {action.name.replace('_', ' ').lower()}"
    status = Status.WARN if OBEYED[action] is Remedy.NONE else Status.FAIL
    return outcome(fault, OBEYED[action], "driver", why, reason=f"DriverAsks{name}", status=status)


def _limited(fault: KernelFault, found: Verdict, context: Context) -> Verdict:
    """Turn the fifth fault in a day that takes a GPU out of service into a case for a human."""
    out = found.remedy is not Remedy.RESTART and found.remedy > Remedy.NONE
    seen = repeats.fatal(fault.gpu, context) + 1
    if not out or found.rule == "override" or seen < repeats.FATAL_LIMIT:
        return found
    why = f"the {seen}th fault within 24 h that took it out of service"
    limited = outcome(fault, Remedy.QUARANTINE, "limit", why, reason="FatalFaultsRepeat")
    return msgspec.structs.replace(limited, scope=found.scope, hands_off=found.hands_off)


def _weight(found: Verdict) -> tuple[int, bool, Remedy]:
    return (found.remedy.rank, found.status is not Status.OK, found.later)
