"""Faults that need more than a row: their companions, their text, or the board they are on.

A rule takes the fault, all faults of its GPU within the companion window, and the context.
"""

from collections.abc import Callable, Sequence

from agent.model import Remedy
from agent.xid import nvlink4, nvlink5, repeats
from agent.xid.context import DAY, Context
from agent.xid.fault import Action, KernelFault, Source
from agent.xid.general import foreign, general, unknown_process
from agent.xid.nvlink4 import Meaning
from agent.xid.outcome import Verdict, harmless, outcome

Rule = Callable[[KernelFault, Sequence[KernelFault], Context], Verdict]

FOLLOWS = 10.0  # seconds after another Xid in which 45 is its aftermath
SWITCH_LIMIT = 60  # non-fatal SXids of one number and switch within an hour


def double_bit(fault: KernelFault, group: Sequence[KernelFault], context: Context) -> Verdict:
    """48: the companions tell whether the error was contained and what it leaves behind."""
    near = {one.xid for one in group}
    if context.remap_failed or (172 in near and context.sram_threshold):
        return outcome(fault, Remedy.QUARANTINE, "memory", "the memory cannot be repaired")
    if 94 in near and not near & {64, 95, 172}:
        why = "contained (94): only one process is hurt"
        return outcome(fault, Remedy.NONE, "companions", why, later=Remedy.RESET)
    told = {63: "its row is replaced by the reset", 64: "its row could not be replaced"}
    told |= {95: "it was not contained", 172: "in SRAM, which has no spare rows"}
    why = "; ".join(told[xid] for xid in sorted(near & told.keys())) or "an uncorrectable error"
    return outcome(fault, Remedy.RESET, "companions", why)


def row_remap(fault: KernelFault, group: Sequence[KernelFault], context: Context) -> Verdict:  # noqa: ARG001
    """63 and 64: the count of lines says nothing, the remapped-rows query does."""
    if context.remap_failed:
        why = "a bad row could not be replaced: the board has to be exchanged"
        return outcome(fault, Remedy.QUARANTINE, "memory", why)
    if fault.xid == 63 and not context.product.row_remap:
        why = "a page was retired; the next reset applies it, and work may go on"
        return outcome(fault, Remedy.NONE, "catalogue", why, later=Remedy.RESET)
    return general(fault, context)


def uncontained(fault: KernelFault, group: Sequence[KernelFault], context: Context) -> Verdict:  # noqa: ARG001
    """95: all work on the GPU is tainted; an A100 without MIG needs a boot."""
    if "A100" in context.product.name and not context.product.mig:
        why = "not contained; an A100 without MIG recovers by a boot only"
        return outcome(fault, Remedy.REBOOT, "product", why)
    return general(fault, context)


def sram(fault: KernelFault, group: Sequence[KernelFault], context: Context) -> Verdict:  # noqa: ARG001
    """172: SRAM has no spare rows; past its threshold the board is worn out."""
    if context.sram_threshold:
        return outcome(fault, Remedy.QUARANTINE, "memory", "SRAM errors have passed the threshold")
    return general(fault, context)


def lost(fault: KernelFault, group: Sequence[KernelFault], context: Context) -> Verdict:  # noqa: ARG001
    """79: the other GPUs may serve on, unless they need this one for their fabric."""
    found = general(fault, context)
    return outcome(
        fault,
        found.remedy,
        found.rule,
        "nothing reaches the GPU over PCIe any more",
        fabric=context.product.nvswitch,
        hands_off=True,
    )


def removal(fault: KernelFault, group: Sequence[KernelFault], context: Context) -> Verdict:
    """45: the aftermath of nearly anything; only alone and again is it a fault of its own."""
    near = [one.xid for one in group if one.xid != fault.xid]
    near += _around(fault, fault.at or context.now, context)
    if fault.cause or near:
        why = f"it follows Xid {fault.cause or near[0]}"
        return harmless(fault, "companions", "Aftermath", why)
    if context.exited:
        return harmless(fault, "companions", "Aftermath", "it follows the end of a process")
    if context.ours(fault) is False:
        return foreign(fault)
    past = repeats.same(fault, context, DAY)
    if all(_around(fault, one.at, context) for one in past):
        return outcome(fault, Remedy.NONE, "alone", "cleaning up, and no other fault is near")
    if context.ours(fault) is None and context.probe is not False:
        return unknown_process(fault)
    why = "again within 24 h with no other fault near; see to the Fabric Manager, if there is one"
    return outcome(fault, Remedy.RESTART, "repeat", why)


def link(fault: KernelFault, group: Sequence[KernelFault], context: Context) -> Verdict:
    """74: the registers in the text decide between nothing, a reset, and a look at the link."""
    alone = all(one.xid == fault.xid for one in group)
    meaning = nvlink4.decode(fault, alone=alone)
    where = "a link" if fault.link is None else f"link {fault.link}"
    if meaning is Meaning.SAFE:
        return outcome(fault, Remedy.NONE, "registers", f"{where}: corrected, or to be ignored")
    if meaning >= Meaning.MARGINAL:
        why = f"{where}: its connectors need a look"
        return outcome(fault, Remedy.QUARANTINE, "registers", why, fabric=True)
    if fault.link is not None and repeats.on_link(fault, context) > 1:
        why = f"{where} has failed before within 24 h"
        return outcome(fault, Remedy.QUARANTINE, "repeat", why, fabric=True)
    return outcome(fault, Remedy.RESET, "registers", f"{where} failed", fabric=True)


def nvlink(fault: KernelFault, group: Sequence[KernelFault], context: Context) -> Verdict:  # noqa: ARG001
    """144-150: the decode table, then the word Fatal, then the driver."""
    found = nvlink5.decode(fault, context.branch)
    if found and found.resolution == nvlink5.IGNORE:
        return outcome(fault, Remedy.NONE, "nvlink5", f"{_where(fault)}: harmless")
    if found and found.resolution == nvlink5.RESET:
        return outcome(fault, Remedy.RESET, "nvlink5", _where(fault), fabric=True)
    if found or fault.fatal is False:
        why = f"{_where(fault)}: not fatal; the driver says if more is needed"
        return outcome(fault, Remedy.NONE, "nvlink5", why)
    if fault.fatal:
        return outcome(fault, Remedy.RESET, "nvlink5", f"{_where(fault)}: fatal", fabric=True)
    return _wordless(fault, context)


def changed(fault: KernelFault, group: Sequence[KernelFault], context: Context) -> Verdict:  # noqa: ARG001
    """154 that names no action we could read (one that does is obeyed before all rules)."""
    if context.recovery is Action.NONE:
        return harmless(fault, "driver", "DriverAsksNothing", "the driver asks for nothing")
    return general(fault, context)


def coherent(fault: KernelFault, group: Sequence[KernelFault], context: Context) -> Verdict:  # noqa: ARG001
    """159: matters where managed memory is used."""
    if context.managed_memory:
        return outcome(fault, Remedy.RESET, "product", "an engine here uses managed memory")
    if context.probe is False:
        return outcome(fault, Remedy.RESTART, "second-sign", "and the engine does not answer")
    return outcome(fault, Remedy.NONE, "product", "no managed memory is known to be in use")


def switch(fault: KernelFault, context: Context) -> Verdict:
    """SXid: Fatal drops the fabric; Non-fatal is counted."""
    if fault.fatal:
        why = "reset all GPUs of the fabric together and restart the Fabric Manager"
        return outcome(fault, Remedy.RESET, "switch", why, fabric=True)
    seen = repeats.switch(fault, context)
    if seen > SWITCH_LIMIT:
        why = f"not fatal, but {seen} times within an hour"
        return outcome(fault, Remedy.DRAIN, "switch", why, fabric=True)
    return outcome(fault, Remedy.NONE, "switch", "not fatal; counted")


def _wordless(fault: KernelFault, context: Context) -> Verdict:
    if fault.source is Source.KERNEL or fault.xid in {147, 148}:
        return general(fault, context)
    if context.recovery is Action.NONE:
        return outcome(fault, Remedy.NONE, "driver", "no text came; the driver asks for nothing")
    why = "no text came that tells harmless from fatal; asking the driver"
    return outcome(fault, Remedy.DRAIN, "ask-driver", why)


def _around(fault: KernelFault, at: float, context: Context) -> list[int]:
    """Return the other faults that the GPU had about the time `at`."""
    return [
        one.xid
        for one in context.history
        if one.gpu == fault.gpu and one.xid != fault.xid and abs(at - one.at) <= FOLLOWS
    ]


def _where(fault: KernelFault) -> str:
    return f"{fault.unit or 'NVLink'}, link {fault.link}"


RULES: dict[int, Rule] = {
    45: removal,
    48: double_bit,
    63: row_remap,
    64: row_remap,
    74: link,
    79: lost,
    95: uncontained,
    **dict.fromkeys(nvlink5.NUMBERS, nvlink),
    154: changed,
    159: coherent,
    172: sram,
}
