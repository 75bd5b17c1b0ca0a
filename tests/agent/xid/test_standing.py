"""What open incidents ask of the engines, and of which: every kind of place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agent.model import EngineState, Remedy
from agent.observe import subjects
from agent.xid import ledger as book
from agent.xid.context import Context, Product
from agent.xid.fault import Action, KernelFault, Kind
from agent.xid.ledger import Ledger
from agent.xid.outcome import Scope
from agent.xid.standing import ANY_GPU, FABRIC, conditions, place
from agent.xid.verdict import judge
from tests.agent.xid.making import GPU, NOW, OTHER, PIDS, fault

BUSES = {GPU: "GPU-A", OTHER: "GPU-B"}


def told(*faults: KernelFault) -> Ledger:
    ledger = Ledger(boot="b")
    for one in faults:
        ledger = book.fold(ledger, one, one.at)
    return ledger


def judged(ledger: Ledger, **context: Any) -> Ledger:
    for group in book.ripe(ledger, NOW + 60):
        known = Context(now=NOW + 60, engine_pids=PIDS, **context)
        verdict = judge(book.faults(ledger, group), known)
        ledger = book.judged(ledger, group, verdict, PIDS, NOW + 60)
    return ledger


@pytest.mark.parametrize(
    ("gpu", "kind", "scope", "buses", "subject"),
    [
        (GPU, Kind.XID, Scope.GPU, BUSES, "gpu:GPU-A"),
        (GPU, Kind.XID, Scope.FABRIC, BUSES, FABRIC),
        (GPU, Kind.SXID, Scope.GPU, BUSES, FABRIC),
        ("00000000:99:00", Kind.XID, Scope.GPU, BUSES, "gpu:00000000:99:00"),  # no engine's
        (GPU, Kind.XID, Scope.GPU, {}, ANY_GPU),  # none was ever seen here: it may be any
        ("", Kind.XID, Scope.GPU, BUSES, ANY_GPU),  # it is not said which
    ],
)
def test_every_kind_of_place(
    gpu: str, kind: Kind, scope: Scope, buses: dict[str, str], subject: str
) -> None:
    assert place(gpu, kind, scope, buses) == subject


def test_a_suspect_asks_for_a_drain_until_it_is_judged() -> None:
    first = fault(95)
    ledger = book.suspected(told(first), first)
    (one,) = conditions(ledger, BUSES)
    assert (one.subject, one.remedy, one.fatal, one.since) == ("gpu:GPU-A", Remedy.DRAIN, True, NOW)
    (one,) = conditions(judged(ledger), BUSES)
    assert (one.subject, one.remedy) == ("gpu:GPU-A", Remedy.RESET)


def test_what_is_no_suspect_or_is_settled_asks_for_nothing() -> None:
    first = fault(95)
    assert conditions(told(first), BUSES) == ()
    settled = fault(154, at=NOW + 1, action=Action.NONE)
    ledger = book.suspected(told(first), first)
    assert conditions(book.fold(ledger, settled, NOW + 1), BUSES) == ()
    assert conditions(judged(told(fault(63))), BUSES) == ()


@pytest.mark.parametrize(
    ("xid", "fatal"), [(79, True), (95, True), (119, True), (120, True), (48, False), (64, False)]
)
def test_what_no_request_in_flight_survives(xid: int, fatal: bool) -> None:
    assert {one.fatal for one in conditions(judged(told(fault(xid))), BUSES)} == {fatal}


def test_one_condition_for_a_group() -> None:
    ledger = judged(told(fault(48), fault(64, at=NOW + 1), fault(48, gpu=OTHER)))
    found = conditions(ledger, BUSES)
    assert [one.subject for one in found] == ["gpu:GPU-A", "gpu:GPU-B"]
    assert (found[0].since, found[0].evidence) == (NOW, "Xid 48")


def test_a_lost_gpu_of_a_fabric_is_out_for_its_own_engine_too() -> None:
    """An engine on that one GPU alone depends on no link."""
    ledger = judged(told(fault(79)), product=Product(nvswitch=True))
    alone = EngineState(since=0.0, reason="R", message="m", gpus=("GPU-A",))
    other = msgspec.structs.replace(alone, gpus=("GPU-B",))
    both = msgspec.structs.replace(alone, gpus=("GPU-B", "GPU-C"))
    hit = {one.subject for one in conditions(ledger, BUSES)}
    assert hit == {FABRIC, "gpu:GPU-A"}
    assert hit & subjects("main", alone)
    assert not hit & subjects("main", other)
    assert hit & subjects("main", both)


def test_a_switch_is_the_fabric_and_no_gpu() -> None:
    ledger = judged(told(fault(12028, kind=Kind.SXID, fatal=True, gpu="00000000:c4:00")))
    assert [one.subject for one in conditions(ledger, BUSES)] == [FABRIC]
