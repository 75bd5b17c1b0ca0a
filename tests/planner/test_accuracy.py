"""The accuracy the planner is held to: start-ups of real engines, with what they printed."""

import statistics

import pytest

from benchmarks.planner_accuracy import Compared, compare, records, wrong

COMPARED = [compare(record) for record in records()]


def median(errors: list[float | None]) -> float:
    return statistics.median(abs(error) for error in errors if error is not None)


@pytest.mark.parametrize("compared", [COMPARED, [c for c in COMPARED if not c.record.fitted]])
def test_the_medians(compared: list[Compared]) -> None:
    assert len(compared) >= 14
    assert median([one.weights for one in compared]) < 0.01
    assert median([one.kv for one in compared]) < 0.05


def test_nothing_that_did_not_fit_is_called_fitting() -> None:
    failed = [one for one in COMPARED if not one.record.started]
    assert len(failed) >= 4
    assert [one.record for one in COMPARED if wrong(one)] == []
    assert not any(one.fit.fits for one in failed)


def test_most_of_what_served_is_called_fitting() -> None:
    served = [one for one in COMPARED if one.record.started]
    assert sum(one.fit.fits for one in served) > 0.9 * len(served)


def test_every_start_up_says_where_it_is_from() -> None:
    assert all(one.record.source for one in COMPARED)
