"""The arithmetic of an HPA: examples from its documentation, then against a plain reference."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.scaling.hpa import Replica, asked
from tests.fleet.scaling.fleets import GONE, MISSING, UNREADY, others, ready


def wanted(*replicas: Replica, target: float = 10, tolerance: float = 0.1) -> int | None:
    return asked(replicas, target, tolerance).replicas


@pytest.mark.parametrize(
    ("queues", "replicas"),
    [
        ((20,), 2),  # "if the current value is 200m and the desired 100m, replicas double"
        ((5, 5), 1),  # "if it is 50m, they are halved"
        ((10,), 1),
        ((11,), 1),  # within a tenth: nothing
        ((12,), 2),
        ((9, 9), 2),
        ((8, 9), 2),
        ((0, 0, 0), 0),  # `scaling_min` is for whoever limits it
        ((31, 0, 0), 3),
        ((34, 0, 0), 4),
        ((1000,), 100),
    ],
)
def test_all_are_ready(queues: tuple[int, ...], replicas: int) -> None:
    assert wanted(*ready(*queues)) == replicas


def test_who_is_missing_counts_as_empty_on_the_way_up() -> None:
    assert wanted(*ready(30), *others(MISSING, 1)) == 3
    assert wanted(*ready(15), *others(MISSING, 1)) == 2  # 15 in two is below the target: no change
    assert wanted(*ready(60), *others(MISSING, 3)) == 6


def test_who_is_missing_counts_as_full_on_the_way_down() -> None:
    assert wanted(*ready(0, 0), *others(MISSING, 2)) == 2
    assert wanted(*ready(0, 0)) == 0


def test_who_is_not_ready_counts_as_empty_on_the_way_up_and_not_at_all_on_the_way_down() -> None:
    assert wanted(*ready(30), *others(UNREADY, 2)) == 3  # 30 in three is the target: no change
    assert wanted(*ready(15), *others(UNREADY, 2)) == 3
    assert wanted(*ready(50), *others(UNREADY, 2)) == 5
    assert wanted(*ready(33), *others(UNREADY, 2)) == 3  # 33 in three is near enough
    assert wanted(*ready(33), *others(MISSING, 2)) == 3
    assert wanted(*ready(4, 4), *others(UNREADY, 2)) == 1


def test_who_is_in_quarantine_counts_nowhere() -> None:
    assert wanted(*ready(30), *others(GONE, 5)) == 3
    assert wanted(*ready(10), *others(GONE, 5)) == 1


def test_without_a_single_measured_replica_nothing_is_known() -> None:
    for replicas in (others(MISSING, 3), others(UNREADY, 3), others(GONE, 2), []):
        assert wanted(*replicas) is None


def reference(
    queues: list[int], missing: int, unready: int, target: Fraction, tolerance: Fraction
) -> int:
    """As the documentation tells it, list by list."""
    now = len(queues) + missing + unready
    ratio = Fraction(sum(queues), len(queues)) / target
    if not missing and not (unready and ratio > 1):
        return now if abs(ratio - 1) <= tolerance else math.ceil(ratio * len(queues))
    filled: list[Fraction | int] = list(queues)
    if ratio < 1:
        filled += [target] * missing
    if ratio > 1:
        filled += [0] * missing + [0] * unready
    again = Fraction(sum(filled), len(filled)) / target
    if abs(again - 1) <= tolerance or (again > 1) is not (ratio > 1):
        return now
    count = math.ceil(again * len(filled))
    if (again < 1 and count > now) or (again > 1 and count < now):
        return now
    return count


COUNTS = st.integers(0, 5)


@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=8),
    COUNTS,
    COUNTS,
    COUNTS,
    st.sampled_from([1.0, 2.5, 10.0, 33.0]),
    st.sampled_from([0.0, 0.1, 0.3]),
)
def test_it_is_the_documented_arithmetic(
    queues: list[int], missing: int, unready: int, gone: int, target: float, tolerance: float
) -> None:
    replicas = [
        *others(GONE, gone),
        *others(MISSING, missing),
        *ready(*queues),
        *others(UNREADY, unready),
    ]
    expected = reference(queues, missing, unready, Fraction(target), Fraction(str(tolerance)))
    assert wanted(*replicas, target=target, tolerance=tolerance) == expected


@given(st.lists(st.integers(0, 200), min_size=1, max_size=8), COUNTS, COUNTS, st.integers(1, 50))
def test_one_more_request_never_asks_for_fewer(
    queues: list[int], missing: int, unready: int, more: int
) -> None:
    rest = [*others(MISSING, missing), *others(UNREADY, unready)]
    before, later = (
        asked([*ready(*queues), *rest], 10, 0.0),
        asked([*ready(queues[0] + more, *queues[1:]), *rest], 10, 0.0),
    )
    assert before.replicas is not None
    assert later.replicas is not None
    assert later.replicas >= before.replicas
