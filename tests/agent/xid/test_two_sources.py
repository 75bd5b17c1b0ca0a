"""10,000 orders in which two sources may tell of the same faults: one incident for each fault."""

from __future__ import annotations

import random

from agent.xid import ledger as book
from agent.xid.fault import KernelFault, Source
from agent.xid.ledger import Ledger
from tests.agent.xid.making import GPU, NOW, OTHER

ORDERS = 10_000
Truth = list[tuple[str, int, float]]  # GPU, number, when


def test_one_incident_for_each_fault() -> None:
    several = 0
    for seed in range(ORDERS):
        chance = random.Random(seed)
        truth = _truth(chance)
        ledger = Ledger(boot="b")
        for arrival, fault in _told(truth, chance):
            ledger = book.fold(ledger, fault, arrival)
        incidents = [*ledger.open, *ledger.closed]
        assert sorted((one.gpu, one.xid) for one in incidents) == sorted(f[:2] for f in truth), seed
        assert all(fault.gpu == one.gpu for one in incidents for fault in one.faults), seed
        several += len(truth) > 2
    assert several > ORDERS // 3


def _truth(chance: random.Random) -> Truth:
    """Faults of two GPUs, some at the same instant; the same one again is a burst apart."""
    at, found = NOW, Truth()
    for _ in range(chance.randint(1, 6)):
        at += chance.choice((0.0, 0.001, 0.4, 3.0, 60.0))
        one = (chance.choice((GPU, OTHER)), chance.choice((31, 48, 63, 79)))
        if all(one != known[:2] or at - known[2] > 3.5 for known in found):
            found.append((*one, at))
    return found


def _told(truth: Truth, chance: random.Random) -> list[tuple[float, KernelFault]]:
    """What reaches us: late, twice, from one source only, but the kernel's log in its order."""
    lines, events = [], []
    for gpu, xid, at in truth:
        sources = chance.choice(("both", "both", "kernel", "driver"))
        if sources != "driver":
            lines.append((at + chance.uniform(0, 0.6), gpu, xid))
        if sources != "kernel":
            seen = at + chance.uniform(0, 0.6)
            event = KernelFault(gpu=gpu, xid=xid, at=seen, boot="b", source=Source.DRIVER)
            events.append((seen + chance.uniform(0, 0.8), event))
    arrival = 0.0
    for seq, (at, gpu, xid) in enumerate(sorted(lines)):
        arrival = max(arrival, at + chance.uniform(0, 0.8))
        fault = KernelFault(gpu=gpu, xid=xid, at=at, boot="b", seq=seq, pid=1, text="Xid")
        events += [(arrival, fault)] * chance.choice((1, 1, 2))
    return sorted(events, key=lambda pair: pair[0])
