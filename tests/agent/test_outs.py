"""What the agent tells the runners of the GPUs, over a real file."""

from pathlib import Path

import pytest

from agent.errors import ActionError
from agent.outs import Outs, Placement

SOME = Placement(out=frozenset({"GPU-1", "GPU-0"}), held={"main": ("GPU-2",)})


def test_what_the_agent_writes_the_runner_reads(tmp_path: Path) -> None:
    path = tmp_path / "run" / "out.json"
    assert Outs(path).read() == Placement()
    Outs(path).write(SOME)
    assert Outs(path).read() == SOME
    assert [file.name for file in path.parent.iterdir()] == ["out.json"]


def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    outs = Outs(tmp_path / "out.json")
    outs.write(SOME)
    (tmp_path / "out.json").unlink()
    outs.write(SOME)
    assert not (tmp_path / "out.json").exists()
    outs.write(Placement())
    assert outs.read() == Placement()


def test_a_garbled_file_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text('["GPU-1"')
    assert Outs(tmp_path / "out.json").read() == Placement()


def test_a_file_that_cannot_be_written_is_an_error_and_is_tried_again(tmp_path: Path) -> None:
    outs = Outs(tmp_path / "file" / "out.json")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ActionError, match=r"out\.json"):
        outs.write(SOME)
    (tmp_path / "file").unlink()
    outs.write(SOME)
    assert outs.read() == SOME
