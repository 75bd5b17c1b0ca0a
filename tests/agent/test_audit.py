"""The audit log is only ever added to, and a full disk does not stop the agent."""

import json
import logging
from pathlib import Path

import pytest

from agent.audit import Audit
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
