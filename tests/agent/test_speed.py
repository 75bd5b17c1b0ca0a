"""Tokens a second over the latest looks."""

import pytest

from agent.speed import WINDOW, Speed, fold


def after(*looks: tuple[float, float | None]) -> float | None:
    speed = Speed()
    for at, tokens in looks:
        speed = fold(speed, at, tokens)
    return speed.per_second


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([], None),
        ([(0, 5)], None),
        ([(0, None), (1, None)], None),
        ([(0, 5), (1, 5)], 0),
        ([(0, 0), (1, 30), (2, 30)], 15),
        ([(0, 0), (1, None), (2, 30)], 15),
        ([(0, 100), (1, 130), (2, 4), (3, 8)], 4),  # started anew
        ([(0, 0), (0, 30)], None),
        ([(0, 0), (WINDOW + 1, 30)], None),
        ([(0, 0), (WINDOW / 2, 30), (WINDOW * 2, None)], None),
    ],
)
def test_the_rate(looks: list[tuple[float, float | None]], expected: float | None) -> None:
    assert after(*looks) == expected


def test_only_the_latest_looks_count() -> None:
    looks: list[tuple[float, float | None]] = [
        (n, n * 10.0 if n < 100 else 990) for n in range(200)
    ]
    assert after(*looks) == 0
    assert after(*looks[:100]) == 10
