"""Over time: what is wanted at each look of a trace, within limits, and without flapping."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.scaling_spec import ScalingSpec
from fleet.scaling.course import Decision, Look, decide
from fleet.scaling.hpa import Replica
from tests.fleet.scaling.fleets import GONE, MISSING, UNREADY, others, ready

WISH = ScalingSpec(max=10)


class World:
    """A fleet to which so many replicas come, `delay` looks after they were asked for."""

    def __init__(self, there: int, wish: ScalingSpec = WISH, delay: int = 0) -> None:
        self.there, self.wish, self.delay = there, wish, delay
        self.looks: tuple[Look, ...] = ()
        self.now = 1_000_000.0
        self.told = there  # what the provider was told last
        self.coming: tuple[int, int] | None = None  # after how many looks, how many there will be
        self.decisions: list[Decision] = []

    def see(self, replicas: Sequence[Replica], after: float = 15.0) -> Decision:
        self.now += after
        made, self.looks = decide(self.wish, replicas, self.looks, self.now)
        self.decisions.append(made)
        return made

    def live(self, load: int, seconds: float = 15.0) -> int:
        """So many requests wait in the whole fleet, evenly; return how many are wanted."""
        queues = [load // self.there + (n < load % self.there) for n in range(self.there)]
        made = self.see(ready(*queues), seconds)
        if made.desired not in {self.there, self.told}:
            self.told = made.desired
            self.coming = (self.delay, made.desired)
        if self.coming is not None:
            left, count = self.coming
            self.coming = (left - 1, count) if left else None
            if not left:
                self.there = self.told = count
        return made.desired


def test_up_at_once_and_down_only_after_the_window() -> None:
    world = World(2)
    assert world.live(20) == 2
    assert world.live(55) == 6
    found = [world.live(5) for _ in range(25)]
    assert found[:19] == [6] * 19  # 285 s
    assert found[19:] == [1] * 6


def test_a_first_look_takes_nothing_away() -> None:
    world = World(4)
    assert [world.live(0) for _ in range(22)] == [4] * 20 + [1, 1]


def test_after_a_pause_longer_than_the_window_a_look_may_take_away_at_once() -> None:
    world = World(4)
    assert world.live(0) == 4
    assert world.live(0, 3600.0) == 1  # by cron, once an hour


@pytest.mark.parametrize("delay", [0, 1, 20])
def test_a_load_that_swings_within_the_window_never_takes_a_replica_away(delay: int) -> None:
    world = World(2, delay=delay)
    found = [world.live(60 if (n // 6) % 2 else 12) for n in range(200)]
    ups = [n for n in range(1, 200) if found[n] > found[n - 1]]
    downs = [n for n in range(20, 200) if found[n] < found[n - 1]]
    assert max(found) == 6
    assert ups
    assert downs == []  # 90 s high, 90 s low: it stays up


def test_a_load_of_noise_around_the_target_changes_nothing() -> None:
    world = World(3)
    noise = [30, 32, 28, 33, 27, 31, 29, 30, 33, 27] * 10
    assert {world.live(load) for load in noise} == {3}


def test_the_rate_is_that_of_what_came() -> None:
    world = World(1)
    assert [world.live(1000) for _ in range(4)] == [5, 5, 10, 10]
    slow = World(1, delay=3)
    assert {slow.live(1000) for _ in range(4)} == {5}  # none has come: the same answer
    twenty = World(8, ScalingSpec(max=100))
    assert twenty.live(5000) == 16  # the larger of 4 more and 100 % more


def test_looks_closer_than_the_period_count_together() -> None:
    world = World(1, ScalingSpec(max=100, up_period=60.0))
    assert [world.live(1000) for _ in range(6)] == [5, 5, 5, 5, 5, 10]


def test_down_by_a_share_within_a_period() -> None:
    wish = ScalingSpec(max=10, stabilisation=0, down_percent=25, down_period=60.0)
    world = World(8, wish)
    assert [world.live(0) for _ in range(9)] == [6, 6, 6, 6, 6, 4, 4, 4, 4]


def test_never_outside_the_limits() -> None:
    world = World(2, ScalingSpec(min=2, max=3))
    assert world.live(500) == 3
    assert world.decisions[-1].limit == "max"
    assert [world.live(0) for _ in range(21)][-1] == 2
    assert world.decisions[-1].limit == "min"
    assert World(1, ScalingSpec(min=3)).live(0) == 3
    assert World(7, ScalingSpec(max=4)).live(500) == 4


def test_one_unknown_replica_and_none_is_taken_away() -> None:
    world = World(4)
    for _ in range(100):
        made = world.see([*ready(0, 0, 0), *others(MISSING, 1)])
        assert (made.desired, made.current, made.limit) == (
            4,
            4,
            "unknown" if _ > 19 else made.limit,
        )
    assert world.see([*ready(40, 40, 40), *others(MISSING, 1)]).desired == 8
    crowded = World(9, ScalingSpec(max=4))
    assert crowded.see([*ready(*[0] * 8), *others(MISSING, 1)]).desired == 9


def test_nobody_measured_and_nothing_changes() -> None:
    world = World(3)
    for replicas in (others(MISSING, 3), others(UNREADY, 3)):
        made = world.see(replicas)
        assert (made.desired, made.limit) == (3, "blind")


def test_quarantine_is_replaced_and_a_restart_is_not() -> None:
    wish = ScalingSpec(min=3, max=5)
    quarantined = World(3, wish).see([*ready(0, 0), *others(GONE, 1)])
    assert (quarantined.current, quarantined.desired) == (2, 3)
    restarting = World(3, wish).see([*ready(0, 0), *others(UNREADY, 1)])
    assert (restarting.current, restarting.desired) == (3, 3)


# -- against a plain reference --------------------------------------------------------------------


def plain(
    wish: ScalingSpec, there: int, last: int, asks: Sequence[tuple[float, int]], now: float
) -> int:
    """The window and the sizes alone, without any rate: `asks` are all that ever were."""
    asked = asks[-1][1]
    highest = max([asked, *(count for at, count in asks if now - at < wish.stabilisation)])
    expected = max(there, last)
    wanted = asked if asked > expected else min(expected, highest)
    top = wish.max or wanted
    return min(max(wanted, wish.min), max(top, wish.min))


STEPS = st.lists(
    st.tuples(st.floats(1, 200), st.lists(st.integers(0, 60), min_size=1, max_size=6)),
    min_size=1,
    max_size=40,
)


@given(STEPS, st.integers(1, 3), st.integers(6, 12), st.sampled_from([0.0, 60.0, 300.0]))
def test_the_window_is_the_highest_ask_within_it(
    steps: list[tuple[float, list[int]]], low: int, high: int, window: float
) -> None:
    wish = ScalingSpec(min=low, max=high, stabilisation=window, up_percent=10_000, up_replicas=1000)
    looks: tuple[Look, ...] = ()
    asks: list[tuple[float, int]] = []
    now, last = 5000.0, 0
    for pause, queues in steps:
        now += pause
        replicas = ready(*queues)
        there = len(replicas)
        made, looks = decide(wish, replicas, looks, now)
        if not asks:
            asks.append((now, there))
        if there < low:
            asks.append((now, low))
            last = made.desired
            assert last == low
            continue
        assert made.asked.replicas is not None
        asks.append((now, made.asked.replicas))
        assert made.desired == plain(wish, there, last or there, asks, now)
        last = made.desired


@given(STEPS, st.integers(0, 3), st.integers(0, 3))
def test_whatever_happens_it_stays_within_limits(
    steps: list[tuple[float, list[int]]], missing: int, unready: int
) -> None:
    wish = ScalingSpec(min=2, max=7)
    looks: tuple[Look, ...] = ()
    counts: list[tuple[float, int]] = []
    now = 5000.0
    for pause, queues in steps:
        now += pause
        replicas = [*ready(*queues), *others(MISSING, missing), *others(UNREADY, unready)]
        made, looks = decide(wish, replicas, looks, now)
        assert made.desired >= min(2, made.current)
        assert made.desired <= max(7, made.current)
        counts.append((now, made.current))
        start = max(count for at, count in counts if now - at < 30)
        assert made.desired <= max(start * 2, start + 4)
        if missing:
            assert made.desired >= made.current
        assert len(looks) <= 302


def test_a_day_of_load_changes_a_fleet_a_few_times() -> None:
    """Two peaks a day, noise on top, hosts that take five minutes to come: no flapping."""
    world = World(2, ScalingSpec(min=1, max=8), delay=20)
    found = []
    for look in range(24 * 60 * 4):
        peak = 50 if 9 <= look / 240 < 12 or 14 <= look / 240 < 18 else 8
        found.append(world.live(peak + (look * 7919) % 13 - 6))
    changes = sum(before != after for before, after in pairwise(found))
    assert changes <= 8
    assert max(found) == 6
    assert found[-1] == 2  # 14 requests at times are too many for one
