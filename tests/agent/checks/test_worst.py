"""Several findings about one subject are told as one."""

from agent.checks.base import fail, ok, unknown, warn
from agent.checks.worst import worst
from agent.model import Remedy

WELL = ok("c", "node", "all is well")


def test_nothing_found_is_what_the_check_says_then() -> None:
    assert worst([], WELL) is WELL
    blind = unknown("c", "node", "nobody looked")
    assert worst(iter(()), blind) is blind


def test_the_gravest_leads_and_the_others_are_told() -> None:
    found = worst(
        [
            warn("c", "node", "A", "a is odd", capacity=0.25, evidence="x=1"),
            fail("c", "node", "B", "b is broken", Remedy.DRAIN, evidence="y=2"),
            fail("c", "node", "C", "c is broken", Remedy.RESET),
            warn("c", "node", "D", "d is odd", capacity=0.5),
        ],
        WELL,
    )
    assert (found.reason, found.remedy, found.capacity) == ("C", Remedy.RESET, 0.25)
    assert found.message == "c is broken; b is broken; a is odd; d is odd"
    assert found.evidence == "y=2, x=1"
