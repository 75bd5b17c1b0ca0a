"""The gate that nginx looks for: a file, or none."""

from pathlib import Path

import pytest

from agent.converge import Converger, FileGates
from agent.errors import ActionError
from agent.model import Phase, desired
from agent.paths import Paths
from tests.agent.fakes import FakeUnits
from tests.agent.node import engine


def test_a_gate_is_a_file_that_is_there_or_not(tmp_path: Path) -> None:
    (tmp_path / "gates").mkdir()
    gates, gate = FileGates(Paths(run=tmp_path)), tmp_path / "gates" / "main.open"
    for wanted in (False, True, True, False, False):
        gates.set("main", is_open=wanted)
        assert gate.exists() is wanted


def test_only_serving_opens_it(tmp_path: Path) -> None:
    (tmp_path / "gates").mkdir()
    converger = Converger(FakeUnits([]), FileGates(Paths(run=tmp_path)), 1.0)
    for phase in [*Phase, Phase.SERVING]:
        converger.gate("main", engine(phase=phase))
        assert (tmp_path / "gates" / "main.open").exists() is (phase is Phase.SERVING)
    stopped = [phase for phase in Phase if desired(engine(phase=phase)).stopped]
    assert stopped == [Phase.QUARANTINED]
    assert desired(engine(phase=Phase.DRAINED, halted=True)).stopped


def test_a_gate_that_cannot_be_set_is_told_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gates = FileGates(Paths(run=tmp_path))
    with pytest.raises(ActionError, match="No such file or directory"):
        gates.set("main", is_open=True)
    converger = Converger(FakeUnits([]), gates, 1.0)
    converger.gate("main", engine(phase=Phase.SERVING))
    assert "gate of main" in caplog.text
    assert "No such file" in converger.stuck["main"]
    (tmp_path / "gates").mkdir()
    converger.gate("main", engine(phase=Phase.SERVING))
    assert converger.stuck == {}
