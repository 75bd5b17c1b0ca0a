"""The judgement of a fault by its row in the table of handling."""

from agent.model import Remedy, Status
from agent.xid import repeats
from agent.xid.catalogue import Severity, entry
from agent.xid.context import Context
from agent.xid.fault import Action, KernelFault
from agent.xid.handling import Handling, handling
from agent.xid.outcome import Verdict, harmless, outcome


def general(fault: KernelFault, context: Context) -> Verdict:
    """Judge a fault by its number's row alone."""
    row = handling(fault.xid)
    if row.owned and context.ours(fault) is False:
        return foreign(fault)
    if row.ask_driver and context.recovery is not Action.NONE:
        return outcome(
            fault, Remedy.DRAIN, "ask-driver", f"{row.why}; asking it", hands_off=row.hands_off
        )
    if row.ask_driver and context.ours(fault) is False:
        return foreign(fault)
    if repeated := _repeated(fault, row, context):
        return repeated
    if row.owned and context.ours(fault) is None and context.probe is not False:
        return unknown_process(fault, later=row.later)
    if row.remedy is Remedy.NONE:
        return _nothing(fault, row, context)
    return outcome(
        fault,
        row.remedy,
        "catalogue",
        row.why,
        later=row.later,
        fabric=row.fabric,
        hands_off=row.hands_off,
    )


def foreign(fault: KernelFault) -> Verdict:
    """Judge a fault that hit a process which is no engine's."""
    why = f"it hit process {fault.pid}, which is no engine's"
    return harmless(fault, "other-process", "OtherProcess", why)


def unknown_process(fault: KernelFault, later: Remedy = Remedy.NONE) -> Verdict:
    """Judge a fault of one process, when nobody knows whose, and no probe has failed."""
    why = "whose process it hit is not known; only a failing probe makes it the engine's"
    return outcome(fault, Remedy.NONE, "process-unknown", why, later=later)


def _repeated(fault: KernelFault, row: Handling, context: Context) -> Verdict | None:
    if row.again is None or (row.spread_is_software and repeats.spread(fault, context)):
        return None
    seen = repeats.count(fault, row, context)
    if seen < row.times:
        return None
    why = f"{seen} times within {row.within / 3600:.0f} h on this GPU"
    return outcome(fault, row.again, "repeat", why, later=row.later, fabric=row.fabric)


def _nothing(fault: KernelFault, row: Handling, context: Context) -> Verdict:
    if row.second_sign and context.probe is False:
        why = f"{row.why}, and the engine does not answer"
        return outcome(fault, row.second_sign, "second-sign", why)
    known = entry(fault.xid)
    if known.severity is Severity.INFO:
        return outcome(fault, Remedy.NONE, "catalogue", row.why, status=Status.OK)
    rule = "second-sign" if row.second_sign else "ticket" if row.ticket else "catalogue"
    return outcome(fault, Remedy.NONE, rule, row.why, later=row.later)
