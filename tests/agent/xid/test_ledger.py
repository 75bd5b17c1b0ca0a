"""Incidents: opened once, grouped with their companions, closed by evidence and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agent.model import Remedy
from agent.xid import ledger as book
from agent.xid.context import Context
from agent.xid.fault import Action, KernelFault, Kind, Source
from agent.xid.incident import KEPT_EVIDENCE, KEPT_FAULTS, Closed
from agent.xid.ledger import Ledger
from agent.xid.verdict import judge
from tests.agent.xid.making import ENGINE, GPU, NOW, OTHER, PIDS, fault


def told(xid: int, after: float = 0.0, **given: Any) -> KernelFault:
    return fault(xid, **{"at": NOW + after, "pid": ENGINE, **given})


def event(xid: int, after: float = 0.0, **given: Any) -> KernelFault:
    return fault(xid, **{"at": NOW + after, "source": Source.DRIVER, "text": "", **given})


def folded(*faults: KernelFault, ledger: Ledger | None = None) -> Ledger:
    ledger = ledger or Ledger(boot="b")
    for one in faults:
        ledger = book.fold(ledger, one, one.at)
    return ledger


def settled(ledger: Ledger, now: float = NOW + 60) -> Ledger:
    """Judge all that is ripe."""
    for group in book.ripe(ledger, now):
        past = book.history(ledger, leaving=group)
        context = Context(now=now, history=past, engine_pids=PIDS)
        verdict = judge(book.faults(ledger, group), context)
        ledger = book.judged(ledger, group, verdict, PIDS, now)
    return ledger


@pytest.mark.parametrize("first", [Source.KERNEL, Source.DRIVER])
def test_two_sources_one_incident(first: Source) -> None:
    both = [told(31, 0.3, seq=7), event(31)]
    if first is Source.KERNEL:
        both = [told(31, seq=7), event(31, 1.9)]
    (one,) = folded(*both).open
    assert (one.count, len(one.evidence)) == (2, 2)
    assert [telling.pid for telling in one.faults] == [ENGINE]  # the text wins over the number


def test_what_is_not_the_same_fault() -> None:
    assert len(folded(told(31), event(31, 2.1)).open) == 2  # another time
    assert len(folded(told(31), told(13)).open) == 2  # another number
    assert len(folded(told(79), event(79, gpu=OTHER)).open) == 2  # another GPU
    assert len(folded(told(79), told(79, kind=Kind.SXID)).open) == 2


def test_a_record_is_taken_in_once() -> None:
    ledger = folded(told(79, seq=5), told(63, seq=6))
    assert folded(told(79, seq=5), told(63, seq=6), ledger=ledger) == ledger
    assert book.known(ledger, told(79, 900.0, seq=6))
    assert not book.known(ledger, told(79, 900.0, seq=7))
    assert not book.known(ledger, told(79, seq=5, boot="c"))  # sequences start over


def test_a_burst_keeps_every_different_telling_and_bounded_evidence() -> None:
    storm = [told(31, n / 100, pid=10 + n % 40, seq=n) for n in range(5000)]
    (one,) = folded(*storm).open
    assert one.count == 5000
    assert len(one.faults) == KEPT_FAULTS
    assert len(one.evidence) == KEPT_EVIDENCE
    assert one.evidence[-1].seq == 4999


def test_a_storm_of_harmless_lines_does_not_crowd_out_the_fatal_one() -> None:
    lines = [told(145, n / 100, words=(n, 1), fatal=False) for n in range(100)]
    (one,) = folded(*lines, told(145, 1.0, words=(9, 9), fatal=True)).open
    assert any(telling.fatal for telling in one.faults)


def test_what_a_verdict_has_not_seen_is_a_new_incident() -> None:
    """An endless burst of somebody else's faults must not hide the engine's."""
    ledger = folded(*(told(31, float(n), pid=17) for n in range(10)))
    ledger = settled(ledger, NOW + 9.5)
    assert ledger.open == ()
    ledger = folded(told(31, 10.0, pid=17), ledger=ledger)
    assert (ledger.open, ledger.closed[-1].count) == ((), 11)
    ledger = folded(told(31, 10.5), ledger=ledger)
    assert [one.faults[0].pid for one in ledger.open] == [ENGINE]


def test_a_late_text_opens_again_what_was_judged_by_its_number() -> None:
    ledger = settled(folded(event(31)))
    assert ledger.closed[0].closed is Closed.HARMLESS
    ledger = folded(told(31, 0.1), ledger=ledger)
    (one,) = ledger.open
    assert (one.verdict, one.count, ledger.closed) == (None, 2, ())


def test_companions_share_a_group_and_wait_for_each_other() -> None:
    ledger = folded(told(48), told(63, 1.0), told(94, 4.9), told(31, 5.1), told(48, gpu=OTHER))
    groups = {(one.gpu, one.xid): one.group for one in ledger.open}
    assert groups[GPU, 48] == groups[GPU, 63] == groups[GPU, 94] != groups[GPU, 31]
    assert groups[OTHER, 48] != groups[GPU, 48]
    assert book.ripe(ledger, NOW + 4.9) == ()
    assert set(book.ripe(ledger, NOW + 5.0)) == {groups[GPU, 48], groups[OTHER, 48]}
    assert [one.xid for one in book.faults(ledger, groups[GPU, 48])] == [48, 63, 94]


def test_what_asks_for_nothing_closes_when_it_is_judged() -> None:
    ledger = settled(folded(told(63), told(31, gpu=OTHER, pid=17)))
    assert ledger.open == ()
    assert {one.closed for one in ledger.closed} == {Closed.HARMLESS}
    assert [one.ours for one in ledger.closed] == [True, False]


@pytest.mark.parametrize(
    ("xid", "how"),
    [
        (48, {Closed.DRIVER, Closed.RESET, Closed.BOOT, Closed.PERSON}),
        (79, {Closed.DRIVER, Closed.BOOT, Closed.PERSON}),
        (31, {Closed.PROVEN, Closed.BOOT, Closed.PERSON}),
        (54, {Closed.PERSON}),
    ],
)
def test_which_evidence_closes_what(xid: int, how: set[Closed]) -> None:
    ledger = settled(folded(told(xid)))
    name = ledger.open[0].id
    assert book.holding(ledger) == {GPU}
    reset = KernelFault(gpu=GPU, xid=0, kind=Kind.RESET, at=NOW + 90, boot="b")
    after = {
        Closed.DRIVER: folded(told(154, 90.0, action=Action.NONE), ledger=ledger),
        Closed.RESET: folded(reset, ledger=ledger),
        Closed.BOOT: book.booted(ledger, "c", NOW + 90),
        Closed.PROVEN: book.proven(ledger, GPU, NOW + 90, NOW + 95),
        Closed.PERSON: book.acknowledged(ledger, name, "ann", "changed the card", NOW + 90),
    }
    for evidence, then in after.items():
        closed = {one.closed for one in then.closed if one.id == name}
        assert closed == ({evidence} if evidence in how else set()), evidence
        assert (GPU in book.holding(then)) is (evidence not in how)
    years = 3 * 365 * 86400.0
    assert settled(ledger, NOW + years).open  # time closes nothing


def test_evidence_from_before_the_fault_closes_nothing() -> None:
    ledger = settled(folded(told(48), told(31, gpu=OTHER)))
    early = KernelFault(gpu=GPU, xid=0, kind=Kind.RESET, at=NOW - 1, boot="b")
    assert len(folded(early, ledger=ledger).open) == 2
    assert len(book.proven(ledger, OTHER, NOW - 1, NOW).open) == 2


def test_a_latch_is_opened_by_a_named_person_only() -> None:
    ledger = settled(folded(told(54)))
    (latch,) = book.booted(ledger, "c", NOW + 90).open
    assert latch.latched
    group = latch.group
    lesser = judge([told(63)], Context(now=NOW))
    assert lesser.remedy is Remedy.NONE
    assert book.judged(ledger, group, lesser, PIDS, NOW + 90) == ledger
    (done,) = book.acknowledged(ledger, latch.id, "ann", "new cable", NOW + 99).closed
    assert (done.by, done.why, done.closed_at) == ("ann", "new cable", NOW + 99)


def test_none_settles_what_has_not_been_judged_yet() -> None:
    ledger = folded(told(79), told(154, 1.0, action=Action.NONE))
    assert book.holding(ledger) == {GPU}
    assert settled(ledger).open == ()


def reset(after: float) -> KernelFault:
    return KernelFault(gpu=GPU, xid=0, kind=Kind.RESET, at=NOW + after, boot="b")


def test_a_reset_settles_what_has_not_been_judged_yet() -> None:
    ledger = folded(told(95), told(31, gpu=OTHER), reset(3.0))
    assert {one.gpu for one in ledger.open} == {GPU, OTHER}  # a person may be needed
    ledger = settled(ledger)
    assert [one.gpu for one in ledger.open] == [OTHER]
    assert ledger.closed[-1].closed is Closed.RESET


@pytest.mark.parametrize("faults", [[told(95), reset(1.0), told(95, 1.5)], [told(54), reset(1.0)]])
def test_a_reset_settles_neither_what_comes_after_it_nor_a_latch(faults: list[KernelFault]) -> None:
    assert len(settled(folded(*faults)).open) == 1


def test_the_past_feeds_the_repeat_rules() -> None:
    ledger = settled(folded(told(31)))
    ledger = book.proven(ledger, GPU, NOW + 61, NOW + 70)
    ledger = settled(folded(told(31, 3600.0), ledger=ledger), NOW + 3700)
    verdict = ledger.open[0].verdict
    assert verdict is not None
    assert (verdict.remedy, verdict.rule) == (Remedy.QUARANTINE, "repeat")


def test_it_outlives_the_agent_as_json() -> None:
    ledger = settled(folded(told(48), told(63, 1.0), told(154, 2.0, action=Action.GPU_RESET)))
    ledger = folded(event(31, 300.0), ledger=ledger)
    assert msgspec.json.decode(msgspec.json.encode(ledger), type=Ledger) == ledger


def test_it_stays_small() -> None:
    ledger = Ledger(boot="b")
    for n in range(1500):
        ledger = folded(told(79, 10.0 * n), ledger=ledger)
    assert len(ledger.open) == book.KEPT_OPEN
    assert len(ledger.closed) == book.KEPT_CLOSED
    assert ledger.closed[-1].closed is Closed.CROWDED


def test_only_news_needs_to_be_looked_at() -> None:
    ledger = folded(told(31, pid=17, seq=1))
    assert not book.news(ledger, told(31, pid=17, seq=1))  # the same record
    assert not book.news(ledger, told(31, 0.5, pid=17, seq=2))  # the same again
    assert not book.news(ledger, event(31, 0.5))  # a number adds nothing
    assert book.news(ledger, told(31, 0.5, seq=2))  # another process
    assert book.news(ledger, told(31, 0.5, pid=17, seq=2, gpu=OTHER))
    assert book.news(ledger, told(31, 30.0, pid=17, seq=2))
    assert book.news(folded(event(154)), told(154, 0.1, pid=None))  # a text, though unreadable
