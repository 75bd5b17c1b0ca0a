"""What the agent shows of the last check for drift."""

import os
from pathlib import Path

import msgspec

from agent.counters import Counters
from agent.drift.report import Finding, Kind, Report
from agent.drift.view import DriftView, LastCheck, view
from agent.metrics import exposition
from agent.model import Phase
from agent.news import NewsKind, news
from agent.show import status
from tests.agent.shown import snapshot

LEFT = Finding(stage="firewall", operation="load x", kind=Kind.NEVER, found="nft -f x", left="why")
DONE = Finding(stage="gateway", operation="place y", kind=Kind.SAFE, found="cat >y")
REPORT = Report(at=100.0, release="r", findings=(LEFT, DONE), since=90.0)


def _write(path: Path, report: Report) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(report))
    new.replace(path)


def test_commands_are_not_shown() -> None:
    shown = view(REPORT)
    assert [(one.what, one.kind, one.why) for one in shown.left] == [
        ("firewall | load x", Kind.NEVER, "why")
    ]
    assert (shown.checked, shown.corrected, shown.since) == (100.0, 1, 90.0)
    assert b"nft" not in msgspec.json.encode(shown)


def test_a_new_report_is_read_and_a_garbled_one_says_so(tmp_path: Path) -> None:
    path = tmp_path / "drift.json"
    last = LastCheck(path)
    assert last() == DriftView()
    _write(path, REPORT)
    assert last().left
    _write(path, Report(at=200.0, release="r"))
    assert (last().checked, last().left) == (200.0, ())
    path.write_text("{")
    os.utime(path, (1, 1))
    assert "drift.json" in last().problem


def test_drift_changes_no_phase_and_is_a_metric() -> None:
    shown = msgspec.structs.replace(snapshot(Phase.SERVING), drift=view(REPORT))
    assert shown.phase is Phase.SERVING
    text = exposition(shown, Counters()).decode()
    assert 'stoker_drift_left{kind="never"} 1.0' in text
    assert 'stoker_drift_left{kind="safe"} 0.0' in text
    assert "stoker_drift_corrected 1.0" in text
    assert "stoker_drift_checked_timestamp_seconds 100.0" in text
    never = exposition(snapshot(Phase.SERVING), Counters()).decode()
    assert "stoker_drift_left" not in never


def test_the_status_on_the_terminal_says_it() -> None:
    sick = msgspec.structs.replace(snapshot(Phase.SERVING), drift=view(REPORT))
    assert "~ firewall | load x is not as released: why" in status(sick, sick.at)
    assert "~" not in status(snapshot(Phase.SERVING), sick.at)


def test_what_is_left_is_told_once_and_again_when_it_is_something_else() -> None:
    calm = msgspec.structs.replace(snapshot(Phase.SERVING), drift=view(Report(at=1, release="r")))
    sick = msgspec.structs.replace(calm, drift=view(REPORT))
    [one] = [item for item in news(calm, sick) if item.kind is NewsKind.DRIFT]
    assert (one.facts["new"], one.at) == ("firewall | load x", 90.0)
    assert not [item for item in news(sick, sick) if item.kind is NewsKind.DRIFT]
    [gone] = [item for item in news(sick, calm) if item.kind is NewsKind.DRIFT]
    assert gone.facts["gone"] == "firewall | load x"
    # A fresh process tells it by the same id; a check that could not tell tells nothing.
    assert one.id in {item.id for item in news(None, sick)}
    blind = msgspec.structs.replace(calm, drift=DriftView(checked=2.0, problem="no answer"))
    assert not [item for item in news(sick, blind) if item.kind is NewsKind.DRIFT]
