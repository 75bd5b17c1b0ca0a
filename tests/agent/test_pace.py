"""What looks at an engine are folded into: tables, and the traces of engines as they behave."""

import math
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise, repeat

import pytest

from agent.engines import ENGINES
from agent.pace import IDLE_EVERY, Kind, Look, Outcome, Pace, Patience, fold
from tests.agent.engines.examples import engine

STEPS = ENGINES["vllm"].patience(engine("vllm"))
TGI = ENGINES["tgi"].patience(engine("tgi"))

Seen = tuple[int | None, float | None, bool, Outcome | None]  # pending, progress, quick, probe


def seen(
    pending: int | None = 0,
    progress: float | None = 100.0,
    *,
    quick: bool = True,
    probe: Outcome | None = None,
) -> Seen:
    return pending, progress, quick, probe


def play(trace: Iterable[Seen], patience: Patience = STEPS, begin: float = 0.0) -> list[Pace]:
    """Fold a trace with one look a second."""
    paces, pace = [], Pace()
    for at, (pending, progress, quick, probe) in enumerate(trace):
        look = Look(at=begin + at, pending=pending, progress=progress, quick=quick, probe=probe)
        pace = fold(pace, look, patience)
        paces.append(pace)
    return paces


def steps(count: int, *, first: float, by: float = 20.0, pending: int = 3) -> Iterator[Seen]:
    """Looks at an engine at work."""
    return (seen(pending, first + by * i) for i in range(count))


def still(count: int, *, pending: int | None = 3, progress: float = 100.0) -> Iterator[Seen]:
    """Looks at an engine that makes no step."""
    return repeat(seen(pending, progress), count)


def first(paces: list[Pace], kind: Kind) -> int | None:
    return next((at for at, pace in enumerate(paces) if pace.kind is kind), None)


def probed(paces: list[Pace]) -> list[int]:
    """When a probe became due."""
    return [at for at, pace in enumerate(paces) if pace.asked == 0.0]


def test_an_engine_at_work_is_moving_and_is_asked_nothing() -> None:
    paces = play(steps(100, first=1.0))
    assert {pace.kind for pace in paces} == {Kind.MOVING}
    assert probed(paces) == []


def test_a_hang_under_load_is_told_within_ten_seconds() -> None:
    paces = play(chain(steps(5, first=20.0), still(20)))  # the last step shows in look 4
    assert probed(paces) == [7]
    assert first(paces, Kind.STALLED) == 8
    assert first(paces, Kind.HUNG) == 12
    assert {pace.kind for pace in paces[12:]} == {Kind.HUNG}  # until a sign of life
    assert all(pace.due for pace in paces[12:])  # which a probe may be, if nobody restarts it


def test_a_hang_while_idle_is_told_within_fifteen_seconds() -> None:
    answered = [seen(), *still(10, pending=0), seen(probe=Outcome.ANSWERED, progress=101.0)]
    paces = play([*answered, *still(30, pending=0, progress=101.0)])
    assert probed(paces) == [10, 20]
    assert first(paces, Kind.HUNG) == 24  # hung at the earliest at 10, when it answered
    assert {pace.kind for pace in paces[:24]} == {Kind.IDLE}


@pytest.mark.parametrize("stopped", [1, 2, 3, 4, 9])
def test_a_hang_just_after_the_last_request_is_told_in_time(stopped: int) -> None:
    trace = [*steps(stopped, first=1.0), *still(30, pending=0, progress=1.0 + 20 * stopped)]
    hung = first(play(trace), Kind.HUNG)
    assert hung is not None
    assert hung - (stopped - 1) <= 15  # after the look before the one that shows the last step


def test_no_probe_while_real_requests_come_to_an_end() -> None:
    trace = (seen(0, float(at // 9)) for at in range(200))  # idle at every look, a step each 9 s
    assert probed(play(trace)) == []


def test_an_idle_engine_is_asked_every_ten_seconds_and_no_more() -> None:
    paces, pace, count = [], Pace(), 1.0
    for at in range(100):
        probe = Outcome.ANSWERED if pace.due else None  # answered before the next look
        count += 1.0 if probe else 0.0
        pace = fold(pace, Look(at=at, pending=0, progress=count, quick=True, probe=probe), STEPS)
        paces.append(pace)
    assert {b - a for a, b in pairwise(probed(paces))} == {
        math.ceil(IDLE_EVERY)
    }  # looks come once a second
    assert {pace.kind for pace in paces} == {Kind.IDLE}


def test_a_long_step_is_acquitted_by_its_end() -> None:
    paces = play(chain(steps(3, first=1.0), still(7, progress=41.0), steps(9, first=42.0)))
    assert first(paces, Kind.STALLED) is not None
    assert first(paces, Kind.HUNG) is None
    assert paces[-1].kind is Kind.MOVING
    assert not paces[-1].due


def test_a_prefill_of_128k_tokens_in_chunks_is_never_under_suspicion() -> None:
    chunks = (seen(1, 100.0 + at // 2) for at in range(64))  # 2,048 tokens in two seconds each
    paces = play(chain(still(3, pending=0), chunks))
    assert {pace.kind for pace in paces} == {Kind.IDLE, Kind.MOVING}
    assert probed(paces) == []


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.ANSWERED, Kind.MOVING),
        (Outcome.FAILED, Kind.MOVING),
        (Outcome.FULL, Kind.FULL),
        (Outcome.SILENT, Kind.STALLED),
        (Outcome.BROKEN, Kind.STALLED),
    ],
)
def test_any_answer_to_the_probe_acquits(outcome: Outcome, kind: Kind) -> None:
    paces = play([*steps(3, first=60.0), *still(6), seen(3, probe=outcome), *still(2)])
    assert paces[9].kind is kind
    assert first(paces, Kind.HUNG) == (None if outcome.alive else 10)


def test_what_is_full_and_makes_no_step_is_asked_again_and_again_and_hung_in_the_end() -> None:
    pace, kinds, asked = Pace(), [], 0
    for at in range(300):
        probe = Outcome.FULL if pace.due else None
        asked += pace.due
        pace = fold(pace, Look(at=at, pending=128, progress=7.0, quick=True, probe=probe), STEPS)
        kinds.append(pace.kind)
    until = int(STEPS.blind)
    assert set(kinds[6:until]) == {Kind.FULL}
    assert set(kinds[until + 1 :]) == {Kind.HUNG}
    assert asked > 50
    again = fold(pace, Look(at=300, pending=128, progress=8.0, quick=True), STEPS)
    assert again.kind is Kind.MOVING


def test_a_saturated_engine_makes_steps() -> None:
    trace = (seen(400, 1.0 + at // 3, quick=at % 2 == 0) for at in range(300))
    assert {pace.kind for pace in play(trace)} == {Kind.MOVING}


def test_counters_of_a_new_process_are_a_sign_of_life() -> None:
    paces = play([*still(4, progress=5000.0), *still(9, progress=0.0)])
    assert paces[3].still == 3.0
    assert paces[4].still == 0.0
    assert first(paces, Kind.HUNG) == 12  # and the new one is judged by its own time


def test_hung_until_a_sign_of_life() -> None:
    hung = [*steps(3, first=60.0), *still(12)]
    assert play(hung)[-1].kind is Kind.HUNG
    for life in (seen(3, 101.0), seen(0, 101.0), seen(3, probe=Outcome.ANSWERED)):
        after = play([*hung, life])[-1]
        assert after.kind in {Kind.MOVING, Kind.IDLE}
        assert not after.due
    for none in (seen(0), seen(None, None), seen(3, probe=Outcome.BROKEN), seen(3, quick=False)):
        assert play([*hung, none])[-1].kind is Kind.HUNG


def test_what_cannot_be_read_is_not_time_without_a_step() -> None:
    trace = [*steps(3, first=60.0), *still(2), *repeat(seen(None, None), 8), *still(1)]
    paces = play(trace)
    assert {pace.kind for pace in paces[5:13]} == {Kind.BLIND}
    assert paces[-2].still == 2.0
    assert paces[-1].still == 3.0
    assert first(paces, Kind.HUNG) is None


def test_blind_the_probe_alone_must_prove_it_and_has_a_minute() -> None:
    paces = play(repeat(seen(None, None), 100))
    assert probed(paces) == [10]
    assert first(paces, Kind.HUNG) == 70
    answered = [*repeat(seen(None, None), 40), seen(None, None, probe=Outcome.ANSWERED)]
    assert first(play([*answered, *repeat(seen(None, None), 60)]), Kind.HUNG) is None


@pytest.mark.parametrize(("slow", "hung"), [(9, 40), (10, 190), (12, 190), (40, 190)])
def test_an_idle_tgi_that_is_slow_to_say_it_is_well_has_more_time(slow: int, hung: int) -> None:
    """It may have begun a long step of which its counters do not tell yet."""
    paces = play((seen(0, quick=at != slow) for at in range(200)), TGI)
    assert probed(paces) == [10]
    assert first(paces, Kind.HUNG) == hung


def test_requests_that_are_given_up_leave_nothing_to_be_still_about() -> None:
    paces = play([*steps(3, first=60.0), *still(2), *still(3, pending=0), *still(2)])
    assert paces[-1].still == 2.0


@pytest.mark.parametrize("jump", [-3600.0, -1.0, 60.0, 86400.0])
def test_a_step_of_the_clock_convicts_nobody(jump: float) -> None:
    pace = Pace()
    for at, now in enumerate([0.0, 1.0, 2.0, 2.0 + jump, 3.0 + jump]):
        pace = fold(pace, Look(at=now, pending=1, progress=1.0, quick=True), STEPS)
        assert pace.kind is not Kind.HUNG, at
    assert pace.still <= 1 + 1 + 2.5 + 1


def test_tgi_leaves_nccl_its_time_first() -> None:
    slow = [seen(1, quick=False)] * 200  # a stuck shard: /health hangs
    quick = [seen(1)] * 200  # a dead router loop
    for trace in (slow, quick):
        paces = play(trace, TGI)
        assert probed(paces) == [150]
        assert first(paces, Kind.HUNG) == 180


def test_tgi_while_idle() -> None:
    assert first(play([seen(0)] * 99, TGI), Kind.HUNG) == 40  # a dead router loop
    assert first(play([seen(0, quick=False)] * 300, TGI), Kind.HUNG) == 190  # a stuck shard


def test_tgi_reads_a_long_prompt_in_one_step() -> None:
    trace = [*still(5, pending=0), *[seen(1, quick=False)] * 40, *steps(9, first=101.0, pending=1)]
    paces = play(trace, TGI)
    assert {pace.kind for pace in paces} == {Kind.IDLE, Kind.MOVING}
    assert probed(paces) == []


def test_a_probe_of_an_idle_tgi_may_wait_behind_a_long_prompt() -> None:
    trace = [*still(11, pending=0), *[seen(1, quick=False)] * 60, *steps(9, first=101.0, pending=1)]
    paces = play(trace, TGI)
    assert probed(paces) == [10]
    assert {pace.kind for pace in paces} == {Kind.IDLE, Kind.MOVING}
