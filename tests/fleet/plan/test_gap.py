"""The gap is an estimate from sizes and stated rates."""

import pytest

from fleet.plan import gap
from fleet.plan.document import Strategy
from tests.fleet.samples import spec

ENGINE = spec(engine_drain_deadline=60.0).engines["main"]
SWAP = Strategy(kind="swap", reason="", message="")
ROLLING = Strategy(kind="rolling", reason="", message="")
BESIDE = Strategy(kind="blue/green", reason="", message="")


@pytest.mark.parametrize(
    ("strategy", "felt", "drain", "begin"),
    [
        (SWAP, True, 60.0, "nobody serves this model for at most 60 s to finish what is in flight"),
        (ROLLING, False, 60.0, "none while others serve; this host is out for at most 60 s"),
        (BESIDE, False, 60.0, "none: it or its copy serves all the while; each needs about 70 s"),
        (None, False, 0.0, "none, for it does not serve yet; it will after about 70 s to load"),
    ],
)
def test_who_feels_it(strategy: Strategy | None, felt: bool, drain: float, begin: str) -> None:
    found = gap.estimate(ENGINE, strategy, int(140e9))
    assert (found.felt, found.drain_at_most, found.load) == (felt, drain, 70.0)
    assert found.message.startswith(begin)
    assert "estimated at 2 GB/s from the disk" in found.message


def test_a_size_that_nobody_knows_is_no_number() -> None:
    found = gap.estimate(ENGINE, SWAP, None)
    assert found.load is None
    assert "whose size is not known" in found.message
