"""A bounded memory of polls: rises, never falls; shares of time; three in a row."""

import gc
import tracemalloc

import pytest

from agent.sources.gpu import Gpu, Link, NvmlReading
from agent.trends import KEPT, MOST, Trends, delta, fold, in_a_row, share

BRAKE, HEAT, SLOWDOWN, CAP, IDLE = 0x80, 0x40, 0x8, 0x4, 0x1
SECOND = 10**9


def gpu(uuid: str = "GPU-a", **facts: object) -> Gpu:
    return Gpu(index=0, uuid=uuid, **facts)  # type: ignore[arg-type]


def polled(*gpus: Gpu | None, every: float = 1.0, after: Trends | None = None) -> Trends:
    """One GPU a poll; None is a poll that shows none."""
    trends = after or Trends()
    start = trends.at + every if after else 1000.0
    for number, one in enumerate(gpus):
        reading = NvmlReading(gpus=(one,) if one else ())
        trends = fold(trends, reading, start + number * every)
    return trends


@pytest.mark.parametrize(
    ("counts", "rise"),
    [
        ([], None),
        ([5], None),
        ([5, 5], 0),
        ([5, 7, 7, 8], 3),
        ([5, 0], 0),  # reset: a new epoch
        ([5, 7, 0, 2], 4),
        ([5, None, 8], 3),
        ([None, None], None),
        ([None, 4], None),
    ],
)
def test_rise_of_a_counter(counts: list[int | None], rise: int | None) -> None:
    trends = polled(*(gpu(ecc_uncorrected=count) for count in counts))
    assert delta(trends, "GPU-a", "ecc_uncorrected", 60.0) == rise


def test_only_the_window_counts() -> None:
    trends = polled(*(gpu(pcie_replays=n) for n in [0, 100, 100, 101, 103]))
    assert delta(trends, "GPU-a", "pcie_replays", 60.0) == 103
    assert delta(trends, "GPU-a", "pcie_replays", 2.0) == 3
    assert delta(trends, "GPU-b", "pcie_replays", 60.0) is None


def test_errors_of_all_links_are_one_counter() -> None:
    def linked(*errors: int | None) -> Gpu:
        links = tuple(Link(number=i, active=True, errors=e) for i, e in enumerate(errors))
        return gpu(links=links)

    trends = polled(linked(1, 2, None), linked(1, 5, None))
    assert delta(trends, "GPU-a", "link_errors", 60.0) == 3
    assert delta(polled(linked(None), linked(None)), "GPU-a", "link_errors", 60.0) is None


def test_an_unknown_counter_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        delta(Trends(), "GPU-a", "temprature", 60.0)


def test_a_gpu_that_fails_leaves_a_gap_and_keeps_its_past() -> None:
    trends = polled(gpu(ecc_uncorrected=1), gpu(error=15), None, gpu(ecc_uncorrected=4))
    assert delta(trends, "GPU-a", "ecc_uncorrected", 60.0) == 3
    assert len(trends.gpus["GPU-a"]) == 2


def test_share_of_time_by_the_drivers_counters() -> None:
    slowed = [0, SECOND // 2, SECOND // 2, SECOND]
    trends = polled(*(gpu(thermal_ns=n, brake_ns=2 * n, clock_reasons=0) for n in slowed))
    assert share(trends, "GPU-a", 10.0) == pytest.approx(0.3)
    # Either counter will do, and a reset of both is no slowdown.
    assert share(polled(gpu(brake_ns=9 * SECOND), gpu(brake_ns=0)), "GPU-a", 10.0) == 0.0


@pytest.mark.parametrize(
    ("bit", "wanted"),
    [(SLOWDOWN, 0.3), (HEAT, 0.3), (BRAKE, 0.3), (CAP, 0.0), (IDLE, 0.0)],
)
def test_share_of_time_by_samples_where_there_is_no_counter(bit: int, wanted: float) -> None:
    trends = polled(*(gpu(clock_reasons=n) for n in [bit, bit, 0, bit, bit]))
    assert share(trends, "GPU-a", 10.0) == pytest.approx(wanted)


def test_time_that_nobody_looked_at_is_not_slowed() -> None:
    hot = gpu(clock_reasons=HEAT)
    trends = polled(hot, *[None] * 200, hot)
    assert share(trends, "GPU-a", 300.0) == pytest.approx(5 / 300)


def test_share_is_unknown_where_nothing_tells() -> None:
    assert share(polled(gpu(), gpu()), "GPU-a", 10.0) is None
    assert share(polled(gpu(clock_reasons=HEAT)), "GPU-a", 10.0) is None
    assert share(Trends(), "GPU-a", 10.0) is None


def test_three_in_a_row() -> None:
    hot, cool = gpu(clock_reasons=BRAKE), gpu(clock_reasons=0)
    assert not in_a_row(polled(hot, hot), "GPU-a")
    assert in_a_row(polled(cool, hot, hot, hot), "GPU-a")
    assert not in_a_row(polled(hot, hot, hot, cool), "GPU-a")
    assert not in_a_row(polled(hot, cool, hot, hot), "GPU-a")
    assert not in_a_row(polled(gpu(), gpu(), gpu()), "GPU-a")


def test_a_slowdown_between_two_polls_is_seen_by_the_counters() -> None:
    brief = [gpu(clock_reasons=0, thermal_ns=n * 1000) for n in range(4)]
    assert in_a_row(polled(*brief), "GPU-a")


def test_a_clock_that_does_not_advance_adds_nothing() -> None:
    trends = polled(gpu(ecc_uncorrected=1))
    for now in (trends.at, trends.at - 50.0):
        assert fold(trends, NvmlReading(gpus=(gpu(ecc_uncorrected=9),)), now) is trends


def test_forgets_what_is_old_and_gpus_that_are_gone() -> None:
    trends = polled(*[gpu()] * 10, every=100.0)
    assert [trends.at - sample.at for sample in trends.gpus["GPU-a"]] == [300.0, 200.0, 100.0, 0.0]
    assert polled(None, every=KEPT + 1.0, after=trends).gpus == {}
    assert len(polled(*[gpu()] * 1000, every=0.01).gpus["GPU-a"]) == MOST


def test_eight_gpus_over_five_minutes_stay_under_a_megabyte() -> None:
    """The worst case: every counter of every GPU moves in every poll."""
    gc.collect()
    tracemalloc.start()
    trends = Trends()
    for second in range(400):
        gpus = tuple(
            Gpu(
                index=index,
                uuid=f"GPU-{index}",
                clock_reasons=0,
                ecc_uncorrected=10**6 + second,
                ecc_corrected=10**7 + second,
                pcie_replays=10**8 + second,
                thermal_ns=10**12 + second,
                brake_ns=10**13 + second,
                links=(Link(number=0, active=True, errors=10**9 + second),),
            )
            for index in range(8)
        )
        trends = fold(trends, NvmlReading(gpus=gpus), float(second))
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert {len(samples) for samples in trends.gpus.values()} == {301}
    assert used < 1_000_000, used
