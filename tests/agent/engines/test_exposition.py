import math
from pathlib import Path

import pytest

from agent.engines.exposition import series, speaks, total

SCRAPE = """\
# TYPE a:steps_total counter
a:steps_total{engine="0",name="x y{}"} 3.0
a:steps_total{engine="1",name="z"} 4.5
a:steps_total_created{engine="0"} 1.7e+09
a:steps_totals 100
a:idle 0
"""


def test_sums_all_series_of_exactly_that_sample() -> None:
    assert total(SCRAPE, "a:steps_total") == 7.5


def test_a_series_without_labels() -> None:
    assert total(SCRAPE, "a:idle") == 0


def test_absent_is_not_zero() -> None:
    assert total(SCRAPE, "a:steps") is None
    assert total("", "a:steps_total") is None


def test_speaks_ignores_comments() -> None:
    assert speaks(SCRAPE, "a:")
    assert not speaks("# TYPE a:idle gauge\n", "a:")


@pytest.mark.parametrize("value", ["NaN", "+Inf", "", "x"])
def test_what_is_not_a_number_is_not_told(value: str) -> None:
    assert total(f'a:idle{{n="1"}} 2\na:idle {value}\n', "a:idle") is None


@pytest.mark.parametrize(
    "line", ["a 3", "a 3 1795543188000", 'a{n="x"} 3.0', 'a{n="} 9 {"} 3 1795', "a 3\r"]
)
def test_a_value_wherever_it_stands(line: str) -> None:
    for scrape in (line, f"b 1\n{line}\nab 2\n", f"{line}\nb_a 7"):
        assert total(scrape, "a") == 3


def test_reads_the_same_as_the_library() -> None:
    for sample in (Path(__file__).parent / "samples").glob("*.txt"):
        metrics = sample.read_text()
        lines = [line for line in metrics.splitlines() if line and line[0] != "#"]
        for name in {line.split("{")[0].split()[0] for line in lines}:
            whole = sum(one.value for one in series(metrics, name))
            assert total(metrics, name) == (whole if math.isfinite(whole) else None), name
