# ruff: noqa: E501 - the driver's own lines
"""Lines that a real driver wrote (H200, 580.159.04) when a kernel used a wrong address."""

import msgspec
import pytest

from agent.model import Remedy
from agent.xid import ledger, line
from agent.xid.context import Context
from agent.xid.fault import KernelFault, from_event
from agent.xid.verdict import judge

OURS, STRANGER = 681, 7
# One illegal access out of range: three lines, of which the last alone names the process.
OUT_OF_RANGE = """
3,901,156886059,-;NVRM: Xid (PCI:0000:00:06): 13, Graphics SM Warp Exception on (GPC 1, TPC 2, SM 0): Out Of Range Address
3,902,156887506,-;NVRM: Xid (PCI:0000:00:06): 13, Graphics Exception: ESR 0x517730=0x100000e 0x517734=0x0 0x517728=0x1f81fb60 0x51772c=0x1174
3,903,156888904,-;NVRM: Xid (PCI:0000:00:06): 13, pid=681, name=victim, Graphics Exception: channel 0x0000000a, Class 0000cbc0, Offset 00000510, Data 0017e2ac
"""
UNMAPPED = """
3,900,141923008,-;NVRM: Xid (PCI:0000:00:06): 31, pid=681, name=victim, channel 0x0000000a, intr 00000000. MMU Fault: ENGINE GRAPHICS GPC1 GPCCLIENT_T1_4 faulted @ 0x80ab_cde00000. Fault is of type FAULT_PDE ACCESS_TYPE_VIRT_WRITE
"""


def faults(text: str) -> list[KernelFault]:
    found = [line.read(one, "boot") for one in text.strip().splitlines()]
    return [one for one in found if one is not None]


@pytest.mark.parametrize("text", [OUT_OF_RANGE, UNMAPPED])
@pytest.mark.parametrize(("engine", "remedy"), [(OURS, Remedy.RESTART), (STRANGER, Remedy.NONE)])
def test_one_incident_that_concerns_the_engine_only_if_it_was_the_engine(
    text: str, engine: int, remedy: Remedy
) -> None:
    told = faults(text)
    book = ledger.Ledger(boot="boot")
    event = from_event("00000000:00:06.0", told[0].xid, told[0].at + 0.1, "boot")
    for fault in (*told, event):
        book = ledger.fold(book, fault, fault.at)
    (incident,) = book.open
    context = Context(now=told[0].at, engine_pids=frozenset({engine}), probe=True)
    verdict = judge(ledger.faults(book, incident.group), context)
    assert verdict.remedy is remedy
    assert incident.owner(frozenset({engine})) is (engine == OURS)


def test_a_strangers_faults_never_add_up_against_the_gpu() -> None:
    book = ledger.Ledger(boot="boot")
    for again in range(4):
        for at, fault in enumerate(faults(OUT_OF_RANGE)):
            moved = 600.0 * again + fault.at
            seq = (fault.seq or 0) + 10 * again + at
            told = msgspec.structs.replace(fault, at=moved, seq=seq)
            book = ledger.fold(book, told, moved)
        (group,) = ledger.ripe(book, 600.0 * again + 200.0)
        pids = frozenset({STRANGER})
        context = Context(
            now=600.0 * again + 200.0,
            engine_pids=pids,
            probe=True,
            history=ledger.history(book, leaving=group),
        )
        verdict = judge(ledger.faults(book, group), context)
        assert verdict.remedy is Remedy.NONE, again
        book = ledger.judged(book, group, verdict, pids, context.now)
