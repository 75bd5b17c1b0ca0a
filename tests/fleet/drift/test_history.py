"""What is remembered from check to check."""

from agent.drift.report import Finding, Kind, Report
from fleet.drift import history
from fleet.drift.history import History


def one(name: str, left: str = "") -> Finding:
    return Finding(stage="s", operation=name, kind=Kind.SAFE, left=left)


def test_since_when_something_is_left() -> None:
    first = history.after(History(), Report(at=10.0, release="r", findings=(one("a", "why"),)))
    assert (first.left, first.since) == (("s | a",), 10.0)
    same = history.after(first, Report(at=20.0, release="r", findings=(one("a", "other"),)))
    assert same.since == 10.0
    more = (one("a", "why"), one("b", "why"))
    assert history.after(same, Report(at=30.0, release="r", findings=more)).since == 30.0
    assert history.after(same, Report(at=30.0, release="r")).left == ()


def test_corrections_are_counted() -> None:
    report = Report(at=10.0, release="r", findings=(one("a"), one("b", "why")))
    assert history.after(History(), report).corrected == {"s | a": (10.0,)}
