"""The judgement of a fault by its row in the table of handling."""

from agent.model import Remedy, Status
from agent.xid import repeats
from agent.xid.catalogue import Severity, entry
from agent.xid.context import Context
from agent.xid.fault import Action, KernelFault
from agent.xid.handling import Handling, handling
from agent.xid.outcome import Verdict, outcome


def general(fault: KernelFault, context: Context) -> Verdict:
    """Judge a fault by its number's row alone."""
    row = handling(fault.xid)
    ours = context.ours(fault)
    if row.ask_driver and context.recovery is not Action.NONE:
        return outcome(fault, Remedy.DRAIN, "ask-driver", f"{row.why}; asking it")
    if (row.owned or row.ask_driver) and ours is False:
        return foreign(fault, row.later)
    if repeated := _repeated(fault, row, context):
        return repeated
    if row.owned and ours is None and context.probe is not False:
        return unknown_process(fault, later=row.later)
    return _plain(fault, row) if row.remedy > Remedy.NONE else _nothing(fault, row, context)


def foreign(fault: KernelFault, later: Remedy = Remedy.NONE) -> Verdict:
    """Judge a fault that hit a process which is no engine's."""
    why = f"it hit process {fault.pid}, which is no engine's"
    status = Status.OK if later is Remedy.NONE else Status.WARN
    return outcome(
        fault,
        Remedy.NONE,
        "other-process",
        why,
        reason="OtherProcess",
        status=status,
        later=later,
    )


def unknown_process(fault: KernelFault, later: Remedy = Remedy.NONE) -> Verdict:
    """Judge a fault of one process, when nobody knows whose, and no probe has failed."""
    why = "whose process it hit is not known; only a failing probe makes it the engine's"
    return outcome(fault, Remedy.NONE, "process-unknown", why, later=later)


def _plain(fault: KernelFault, row: Handling) -> Verdict:
    return outcome(
        fault,
        row.remedy,
        "catalogue",
        row.why,
        later=row.later,
        fabric=row.fabric,
        hands_off=row.hands_off,
    )


def _repeated(fault: KernelFault, row: Handling, context: Context) -> Verdict | None:
    blind = row.owned and context.engine_pids is None  # it may all be somebody else's
    if row.again is None or blind or (row.spread_is_software and repeats.spread(fault, context)):
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
