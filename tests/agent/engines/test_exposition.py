from agent.engines.exposition import speaks, total

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
