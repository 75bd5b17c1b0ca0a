"""The audit log is only ever added to, and a full disk does not stop the agent."""

import json
import logging
from pathlib import Path

import pytest

from agent.audit import Audit, Record, tail
from agent.model import Phase


def test_one_line_an_event(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text('{"event":"before"}\n')
    Audit(path).write("request", by="alice", reason="fan\nbroken")
    Audit(path).write("decision", phase=Phase.DRAINED, start=False)
    before, request, decision = (json.loads(line) for line in path.read_text().splitlines())
    assert before == {"event": "before"}
    assert (request["event"], request["by"], request["reason"]) == (
        "request",
        "alice",
        "fan\nbroken",
    )
    assert request["at"] <= decision["at"]
    assert decision["phase"] == "DRAINED"


def test_what_cannot_be_written_goes_to_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        Audit(tmp_path / "missing" / "audit.jsonl").write("request", by="alice")
    assert '"by":"alice"' in caplog.text


def test_read_back_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    assert tail(path, 5) == ()
    for number in range(3000):  # more than one block of the reader
        Audit(path).write("request", by="alice", reason=f"{number} {'x' * 40}", verb="drain")
    assert [one.reason.split()[0] for one in tail(path, 3)] == ["2997", "2998", "2999"]
    assert len(tail(path, 10_000)) == 3000
    for count in range(600, 660):  # wherever the block begins within a line
        assert len(tail(path, count)) == count
    last = tail(path, 1)[0]
    assert (last.event, last.by, last.verb, last.start) == ("request", "alice", "drain", False)
    assert tail(path, 0) == ()


def test_a_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"at":1.0,"event":"a"}\n{"at":2.0,"ev\n{"at":3.0,"event":"c"}\n')
    assert tail(path, 3) == (Record(at=1.0, event="a"), Record(at=3.0, event="c"))


def test_what_is_on_disk_is_bounded_and_read_back_over_the_seam(tmp_path: Path) -> None:
    path, limit = tmp_path / "audit.jsonl", 1000
    audit = Audit(path, limit=limit)
    for number in range(100):
        audit.write("decision", message=str(number))
    longest = len('{"at":1764000000.000,"event":"decision","message":"99"}\n')
    assert {one.name for one in tmp_path.iterdir()} == {"audit.jsonl", "audit.jsonl.1"}
    assert path.with_name("audit.jsonl.1").stat().st_size < limit + longest
    assert path.stat().st_size < limit
    told = [int(one.message) for one in tail(path, 25)]
    assert told == list(range(75, 100))
