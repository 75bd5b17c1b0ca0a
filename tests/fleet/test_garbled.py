"""Answers and files of others, nested deeper than a reader goes or no UTF-8: a command goes on."""

from pathlib import Path

import pytest

from agent.errors import SourceError, StokerError
from fleet import daemon
from fleet.commands import audit, brake_text, lock, rollback, status
from fleet.commands import drift as drift_command
from fleet.commands.hosts import Answer
from fleet.daemon import DaemonError
from fleet.doctor import answer as doctor
from fleet.drift import history
from fleet.plan import known
from fleet.run import events
from fleet.scaling import notebook
from tests.fleet.samples import spec

DEEP = '{"x": ' + "[" * 200_000


def test_a_host_whose_answer_is_garbled_does_not_end_the_command() -> None:
    told = Answer(host="h", code=0, out=DEEP, err="")
    assert brake_text.nodes({"h": told})[0].slots is None
    assert drift_command._report(told) is None
    assert lock._read(told) == lock.Locked()
    assert rollback._releases(told) == ()
    assert audit.merged({"h": told}) == []
    assert status._decoded(DEEP, dict) is None
    assert doctor.read(DEEP, 0.0, 0.0).report is None
    assert list(events.lines(DEEP.encode() + b'\n{"type": "\xff"}\n')) == []


def test_a_file_that_is_garbled_is_told_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "org/model/config.json"
    path.parent.mkdir(parents=True)
    path.write_text(DEEP)
    for read in (history.read, notebook.load):
        with pytest.raises(StokerError, match=r"config\.json"):
            read(path)
    with pytest.raises(SourceError, match=r"config\.json"):
        known.local(tmp_path, "org/model")


def test_a_daemon_json_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(DaemonError, match="is no JSON"):
        daemon.text(DEEP, spec())
