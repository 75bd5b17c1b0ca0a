"""A person keeps a node as it is: written, shown, expired, taken back."""

import argparse
from pathlib import Path

import pytest

from agent import maintenance
from agent.errors import ActionError, StokerError
from agent.maintenance_command import arguments, main, seconds


def run(path: Path, *words: str, now: float = 1000.0) -> int:
    parser = argparse.ArgumentParser()
    arguments(parser, "mia")
    return main(parser.parse_args(["--path", str(path), *words]), now)


def test_it_holds_until_it_expires(tmp_path: Path) -> None:
    path = tmp_path / "maintenance"
    assert run(path, "on", "--reason", "new fans", "--for", "2h") == 0
    found = maintenance.read(path, 1000.0)
    assert found is not None
    assert found.sentence().startswith("new fans (mia, since 1970-01-01 00:16 UTC, until ")
    assert maintenance.read(path, 1000.0 + 7199)
    assert maintenance.read(path, 1000.0 + 7200) is None


def test_it_is_taken_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "maintenance"
    run(path, "on", "--reason", "r")
    run(path, "show")
    run(path, "off")
    run(path, "off")
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("maintenance is on: r (mia")
    assert said[2:] == ["maintenance is off", "maintenance was not on"]


def test_a_file_written_by_hand_counts(tmp_path: Path) -> None:
    path = tmp_path / "maintenance"
    path.write_text("do not touch\n")
    found = maintenance.read(path, 5.0)
    assert found is not None
    assert "do not touch" in found.sentence()
    path.write_text("")
    assert maintenance.read(path, 5.0) is not None
    assert maintenance.read(tmp_path / "none", 5.0) is None


def test_who_may_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(ActionError, match="try with sudo"):
        run(tmp_path / "no" / "maintenance", "on", "--reason", "r")
    with pytest.raises(StokerError, match="--reason is empty"):
        run(tmp_path / "maintenance", "on", "--reason", " ")


@pytest.mark.parametrize(("text", "wanted"), [("30m", 1800.0), ("2h", 7200.0), ("1.5d", 129600.0)])
def test_times(text: str, wanted: float) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize("text", ["2", "h", "-1h", "0h", "2 weeks"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="30m, 2h or 3d"):
        seconds(text)
