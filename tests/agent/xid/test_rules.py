"""The special rules by their numbers, and the table of defaults."""

from __future__ import annotations

from typing import Any

import pytest

from agent.model import Remedy, Status
from agent.xid.context import Product
from agent.xid.fault import Action, KernelFault, Kind, Source
from agent.xid.outcome import Scope
from agent.xid.verdict import Verdict, first, judge
from tests.agent.xid.making import ENGINE, GPU, HOUR, NOW, OTHER, PIDS, context, fault, past

A100 = Product(name="NVIDIA A100-SXM4-80GB")
DAY = 24 * HOUR


def verdict(*faults: int | KernelFault, **given: Any) -> Verdict:
    group = [one if isinstance(one, KernelFault) else fault(one) for one in faults]
    return judge(group, context(**given))


def remedy(*faults: int | KernelFault, **given: Any) -> Remedy:
    return verdict(*faults, **given).remedy


def ours(xid: int, **given: Any) -> KernelFault:
    return fault(xid, pid=ENGINE, **given)


def foreign(xid: int) -> KernelFault:
    return fault(xid, pid=17)


def changed(action: Action | None, at: float = NOW) -> KernelFault:
    return fault(154, action=action, at=at)


def test_rule_1_drain_at_once_and_choose_by_the_companions() -> None:
    assert first(fault(48), context())
    assert remedy(48) is Remedy.RESET
    assert remedy(48, ours(94), engine_pids=PIDS) is Remedy.RESTART  # known only later
    assert remedy(48, changed(Action.NODE_REBOOT)) is Remedy.REBOOT


def test_rule_1_order_does_not_matter() -> None:
    assert verdict(48, 63, 64).remedy == verdict(64, 63, 48).remedy == Remedy.RESET


def test_rule_2_double_bit_errors() -> None:
    assert remedy(48, 63) is Remedy.RESET
    assert remedy(48, 64) is Remedy.RESET
    assert remedy(48, 64, history=(past(64, 3 * DAY),)) is Remedy.QUARANTINE
    assert remedy(48, 95) is Remedy.RESET
    assert remedy(48, 172) is Remedy.RESET
    assert remedy(48, 172, sram_threshold=True) is Remedy.QUARANTINE
    contained = verdict(48, 63, ours(94), engine_pids=PIDS)
    assert (contained.remedy, contained.later) == (Remedy.RESTART, Remedy.RESET)
    assert remedy(48, 64, ours(94), engine_pids=PIDS) is Remedy.RESET


def test_rule_3_a_remapped_row_is_good_news() -> None:
    for product in (Product(), Product(row_remap=False)):
        found = verdict(63, product=product)
        assert (found.remedy, found.later, found.status) == (
            Remedy.NONE,
            Remedy.RESET,
            Status.WARN,
        )
    many = tuple(past(63, minute * 60.0) for minute in range(1, 50))
    assert remedy(63, history=many) is Remedy.NONE  # the count of lines says nothing
    assert remedy(63, remap_failed=True) is Remedy.QUARANTINE


def test_rule_4_a_row_that_cannot_be_remapped() -> None:
    assert remedy(64) is Remedy.RESET
    assert remedy(64, history=(past(64, DAY),)) is Remedy.QUARANTINE
    assert remedy(64, remap_failed=True) is Remedy.QUARANTINE


def test_rule_5_contained_and_uncontained() -> None:
    found = verdict(ours(94), engine_pids=PIDS)
    assert (found.remedy, found.later) == (Remedy.RESTART, Remedy.RESET)
    assert remedy(foreign(94), engine_pids=PIDS) is Remedy.NONE
    assert remedy(ours(94), engine_pids=PIDS, history=(past(94, HOUR),)) is Remedy.RESET
    assert remedy(95) is Remedy.RESET
    assert remedy(95, product=A100) is Remedy.REBOOT
    assert remedy(95, product=Product(name="NVIDIA A100", mig=True)) is Remedy.RESET
    assert remedy(95, product=Product(name="NVIDIA H100")) is Remedy.RESET


def test_rule_6_off_the_bus() -> None:
    found = verdict(79)
    assert (found.remedy, found.scope, found.hands_off) == (Remedy.REBOOT, Scope.GPU, True)
    assert verdict(79, product=Product(nvswitch=True)).scope is Scope.FABRIC
    assert remedy(79, history=(past(79, 3 * DAY),)) is Remedy.QUARANTINE
    assert remedy(79, history=(past(79, 8 * DAY),)) is Remedy.REBOOT


@pytest.mark.parametrize("xid", [119, 120])
def test_rule_7_gsp_hands_off_the_driver(xid: int) -> None:
    found = verdict(xid)
    assert (found.remedy, found.hands_off, found.drain_now) == (Remedy.RESET, True, True)


def test_rule_8_the_driver_decides_about_109() -> None:
    assert remedy(109) is Remedy.DRAIN
    assert remedy(109, recovery=Action.GPU_RESET) is Remedy.RESET
    assert remedy(109, recovery=Action.NONE) is Remedy.RESTART
    assert remedy(109, recovery=Action.NONE, history=(past(109, HOUR),)) is Remedy.RESET
    assert remedy(foreign(109), engine_pids=PIDS, recovery=Action.NONE) is Remedy.NONE


@pytest.mark.parametrize(("xid", "gap"), [(31, 180.0), (13, 15.0)])
def test_rule_9_twice_on_one_gpu_is_hardware(xid: int, gap: float) -> None:
    told = ours(xid, place=(1, 2))
    before = {"place": (1, 2), "ours": True}
    known = {"engine_pids": PIDS}
    assert remedy(told, **known) is Remedy.RESTART
    assert remedy(told, **known, history=(past(xid, HOUR, **before),)) is Remedy.QUARANTINE
    assert remedy(told, **known, history=(past(xid, gap - 1, **before),)) is Remedy.RESTART
    assert remedy(told, **known, history=(past(xid, gap + 1, **before),)) is Remedy.QUARANTINE
    assert remedy(told, **known, history=(past(xid, DAY + 1, **before),)) is Remedy.RESTART
    on_both = (past(xid, HOUR, **before), past(xid, HOUR, gpu=OTHER, ours=True))
    assert remedy(told, **known, history=on_both) is Remedy.RESTART  # software
    somebodys = (past(xid, HOUR, place=(1, 2), ours=False),)
    assert remedy(told, **known, history=somebodys) is Remedy.RESTART


def test_rule_9_xid_13_repeats_on_one_unit_only() -> None:
    told, known = ours(13, place=(1, 2)), {"engine_pids": PIDS}
    elsewhere = (past(13, HOUR, place=(1, 3), ours=True),)
    assert remedy(told, **known, history=elsewhere) is Remedy.RESTART
    assert remedy(ours(13), **known, history=(past(13, HOUR, ours=True),)) is Remedy.RESTART


def test_rule_9_the_fifth_fatal_fault_of_a_day_is_a_humans() -> None:
    four = tuple(past(48, hours * HOUR, fatal=True) for hours in (2, 4, 6, 8))
    assert remedy(48, history=four[:3]) is Remedy.RESET
    assert remedy(48, history=four) is Remedy.QUARANTINE
    assert remedy(48, changed(Action.GPU_RESET), history=four) is Remedy.QUARANTINE
    assert remedy(ours(31), engine_pids=PIDS, history=four) is Remedy.RESTART  # is not fatal
    one_burst = tuple(past(xid, 2 * HOUR, fatal=True) for xid in (48, 63, 64, 95))
    assert remedy(48, history=one_burst) is Remedy.RESET
    elsewhere = tuple(past(48, h * HOUR, gpu=OTHER, fatal=True) for h in (2, 4, 6, 8))
    assert remedy(48, history=elsewhere) is Remedy.RESET


def test_rule_10_the_aftermath() -> None:
    known = {"engine_pids": PIDS}
    again = (past(45, HOUR, ours=True),)
    assert remedy(ours(45), **known) is Remedy.NONE
    assert remedy(ours(45), **known, history=again) is Remedy.RESTART
    assert remedy(ours(45, cause=149), **known, history=again) is Remedy.NONE
    assert remedy(ours(45), foreign(43), **known, history=again) is Remedy.NONE
    assert remedy(ours(45), **known, history=(*again, past(31, 8.0))) is Remedy.NONE
    assert remedy(ours(45), **known, history=again, exited=True) is Remedy.NONE
    assert remedy(foreign(45), **known, history=again) is Remedy.NONE
    followed = (past(45, HOUR, ours=True), past(31, HOUR + 1, ours=True))
    assert remedy(ours(45), **known, history=followed) is Remedy.NONE


def test_rule_11_registers_of_74() -> None:
    bad = fault(74, words=(0x10,), link=3)
    found = verdict(bad)
    assert (found.remedy, found.scope) == (Remedy.RESET, Scope.FABRIC)
    assert remedy(fault(74, words=(1,), link=3)) is Remedy.NONE
    assert remedy(fault(74, words=(0x100,), link=3)) is Remedy.QUARANTINE
    assert remedy(bad, history=(past(74, HOUR, link=3),)) is Remedy.QUARANTINE
    assert remedy(bad, history=(past(74, HOUR, link=4),)) is Remedy.RESET
    assert remedy(74) is Remedy.RESET


def test_rule_12_nvlink5() -> None:
    def words(*given: int, word: bool | None = None) -> KernelFault:
        return fault(144, words=given, unit="SAW_MVB", fatal=word)

    assert remedy(words(0x1, 0x2, word=False)) is Remedy.RESET  # the table comes before the word
    assert remedy(words(0x1, 0x1, word=True)) is Remedy.NONE
    assert remedy(words(0x1, 0x77, word=True)) is Remedy.RESET  # no rule: the word
    assert remedy(words(0x1, 0x77, word=False)) is Remedy.NONE
    assert remedy(words(0x1, 0x77, word=False), recovery=Action.GPU_RESET) is Remedy.RESET
    deferred = fault(145, words=(0x4, 0x1), unit="RLW_REMAP", fatal=False)
    assert remedy(deferred, branch=595) is Remedy.NONE
    assert remedy(deferred, changed(Action.GPU_RESET), branch=595) is Remedy.RESET


def test_rule_12_a_number_waits_for_its_text() -> None:
    event = fault(145, source=Source.DRIVER)
    assert not first(event, context())
    assert remedy(event) is Remedy.DRAIN  # none came
    assert remedy(event, recovery=Action.NONE) is Remedy.NONE
    assert remedy(fault(147, source=Source.DRIVER)) is Remedy.NONE


@pytest.mark.parametrize(
    ("action", "right"),
    [
        (Action.NONE, Remedy.NONE),
        (Action.GPU_RESET, Remedy.RESET),
        (Action.NODE_REBOOT, Remedy.REBOOT),
        (Action.DRAIN_P2P, Remedy.DRAIN),
        (Action.DRAIN_AND_RESET, Remedy.RESET),
        (Action.RECOVER_IMEX, Remedy.NONE),
        (Action.BUS_RESET, Remedy.RESET),
        (Action.SYSTEM_REBOOT, Remedy.REBOOT),
    ],
)
def test_rule_13_the_new_value_is_obeyed(action: Action, right: Remedy) -> None:
    assert remedy(changed(action)) is right
    assert first(changed(action), context()) is (right is not Remedy.NONE)
    if right is not Remedy.NONE:
        assert remedy(fault(43, pid=17), engine_pids=PIDS, recovery=action) is right


def test_rule_13_none_clears_what_came_before_it_only() -> None:
    assert verdict(79, changed(Action.NONE, NOW + 1)).status is Status.OK
    assert remedy(changed(Action.NONE), fault(79, at=NOW + 1)) is Remedy.REBOOT
    both = (79, changed(Action.GPU_RESET, NOW + 1), changed(Action.NONE, NOW + 2))
    assert remedy(*both) is Remedy.NONE
    assert remedy(79, changed(Action.GPU_RESET, NOW + 1)) is Remedy.RESET  # the driver knows best


def test_rule_13_what_cannot_be_read_is_a_reset() -> None:
    assert remedy(changed(None)) is Remedy.RESET
    assert remedy(changed(None), recovery=Action.NONE) is Remedy.NONE
    assert remedy(changed(None), recovery=Action.NODE_REBOOT) is Remedy.REBOOT


def test_rule_14_retirement_and_coherence() -> None:
    assert remedy(159, managed_memory=True) is Remedy.RESET
    assert remedy(159) is Remedy.NONE
    assert remedy(159, probe=False) is Remedy.RESTART
    retired = verdict(156)
    assert (retired.remedy, retired.later) == (Remedy.NONE, Remedy.RESET)
    ticket = verdict(157)
    assert (ticket.remedy, ticket.status, ticket.rule) == (Remedy.NONE, Status.WARN, "ticket")


@pytest.mark.parametrize("xid", [1, 61, 125, 177, 999])
def test_rule_15_an_unexpected_number_needs_a_second_sign(xid: int) -> None:
    found = verdict(xid)
    assert (found.remedy, found.status) == (Remedy.NONE, Status.WARN)
    assert not first(fault(xid), context())
    assert remedy(xid, probe=True, recovery=Action.NONE) is Remedy.NONE
    assert remedy(xid, probe=False) is Remedy.DRAIN
    assert remedy(xid, recovery=Action.GPU_RESET) is Remedy.RESET


@pytest.mark.parametrize("xid", [13, 31, 32, 43, 94, 69, 83])
def test_whose_process(xid: int) -> None:
    assert remedy(ours(xid), engine_pids=PIDS) is Remedy.RESTART
    assert first(ours(xid), context(engine_pids=PIDS))
    assert remedy(foreign(xid), engine_pids=PIDS) is Remedy.NONE
    assert remedy(foreign(xid), engine_pids=PIDS, probe=False) is Remedy.NONE
    for unknown in ({"engine_pids": PIDS}, {"engine_pids": None}):
        assert remedy(xid, **unknown) is Remedy.NONE
        assert remedy(xid, **unknown, probe=True) is Remedy.NONE
        assert remedy(xid, **unknown, probe=False) is Remedy.RESTART


def test_nobody_knows_whose_so_repetition_condemns_nobody() -> None:
    assert remedy(31, history=(past(31, HOUR),)) is Remedy.NONE


@pytest.mark.parametrize(
    ("xid", "right"),
    [(44, Remedy.NONE), (38, Remedy.NONE), (121, Remedy.NONE), (74, Remedy.RESET)]
    + [(64, Remedy.RESET), (119, Remedy.RESET), (120, Remedy.RESET), (109, Remedy.DRAIN)]
    + [(xid, Remedy.REBOOT) for xid in (167, 169, 173)],
)
def test_defaults_where_authorities_differ(xid: int, right: Remedy) -> None:
    assert remedy(xid) is right


@pytest.mark.parametrize("xid", [38, 44])
def test_a_watched_number_restarts_an_engine_that_is_silent(xid: int) -> None:
    assert remedy(xid, probe=False) is Remedy.RESTART


def test_switches() -> None:
    def switch(word: bool | None) -> KernelFault:
        return fault(20009, kind=Kind.SXID, fatal=word)

    found = verdict(switch(True))
    assert (found.remedy, found.scope, found.reason) == (Remedy.RESET, Scope.FABRIC, "SXid20009")
    assert remedy(switch(False)) is Remedy.NONE
    assert remedy(switch(None)) is Remedy.NONE
    storm = tuple(past(20009, minute * 50.0) for minute in range(1, 62))
    assert remedy(switch(False), history=storm) is Remedy.DRAIN


def test_the_operator_has_the_last_word_on_a_number() -> None:
    assert verdict(79, overrides={79: Remedy.NONE}).status is Status.OK
    assert not first(fault(79), context(overrides={79: Remedy.NONE}))
    assert remedy(foreign(31), engine_pids=PIDS, overrides={31: Remedy.RESTART}) is Remedy.RESTART
    assert remedy(63, overrides={63: Remedy.DRAIN}) is Remedy.DRAIN
    assert remedy(changed(Action.GPU_RESET), overrides={154: Remedy.NONE}) is Remedy.NONE
    assert remedy(43, 79, overrides={79: Remedy.NONE}) is Remedy.NONE


def test_a_verdict_says_who_what_and_why() -> None:
    found = verdict(79)
    assert found.reason == "Xid79GpuHasFallenOffTheBus"
    assert found.message == (
        f"Xid 79 on GPU {GPU}: drain and reboot the host "
        "(nothing reaches the GPU over PCIe any more)"
    )
    assert (found.gpu, found.status, found.drain_now) == (GPU, Status.FAIL, True)
