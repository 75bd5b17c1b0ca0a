"""The last quarter of an hour: bounded, and never wrong about time."""

from itertools import pairwise

import msgspec
import pytest

from agent.page.history import KEPT, MOST, STEP, History, Sample, fold, history
from agent.snapshot import Snapshot
from tests.agent import shown
from tests.page import scenes


def at(moment: float, **facts: object) -> Snapshot:
    return shown.snapshot(**{"at": moment, **facts})  # type: ignore[arg-type]


def lived(*moments: float) -> tuple[Sample, ...]:
    samples: tuple[Sample, ...] = ()
    for moment in moments:
        samples = fold(samples, at(moment))
    return samples


def test_one_sample_a_step_and_no_more_than_a_quarter_of_an_hour() -> None:
    samples = lived(*(1000.0 + second for second in range(2000)))
    times = [one.at for one in samples]
    assert len(times) == MOST == 180
    assert {later - one for one, later in pairwise(times)} == {STEP}
    assert times[-1] - times[0] < KEPT


def test_what_is_too_old_goes_however_few_there_are() -> None:
    assert [one.at for one in lived(1000.0, 1005.0, 5000.0)] == [5000.0]


def test_a_clock_that_was_set_back_begins_anew() -> None:
    assert [one.at for one in lived(1000.0, 1005.0, 400.0, 405.0)] == [400.0, 405.0]


def test_columns_are_as_long_as_the_times_and_gaps_are_told() -> None:
    samples = fold(lived(1000.0), at(1005.0, gpus_problem="the driver hangs"))
    found = history(fold(samples, at(1010.0)))
    assert found.at == (1000.0, 1005.0, 1010.0)
    assert found.engines["main"]["in_flight"] == (4, 4, 4)
    assert found.engines["main"]["kv_use_ratio"] == (0.25, 0.25, 0.25)
    assert found.gpus["GPU-0"]["temperature"] == (41, None, 41)
    assert msgspec.json.decode(msgspec.json.encode(found), type=History) == found


def test_numbers_that_an_engine_has_beyond_today_are_taken_up() -> None:
    found = history(fold((), scenes.healthy()))
    assert found.engines["chat"]["tokens_per_second"] == (1840.0,)
    assert found.engines["chat"]["kv_use_ratio"] == (0.62,)


def test_what_has_gone_is_not_drawn() -> None:
    samples = fold(lived(1000.0), at(1005.0, engines={}, gpus=None))
    assert history(samples).engines == history(samples).gpus == {}
    assert history(()).at == ()


@pytest.mark.parametrize("scene", [scenes.healthy, scenes.quarantined, scenes.strange])
def test_it_stays_small(scene: object) -> None:
    assert callable(scene)
    samples: tuple[Sample, ...] = ()
    for one in scenes.past(scene()):
        samples = fold(samples, one)
    assert len(msgspec.json.encode(history(samples))) < 60_000
