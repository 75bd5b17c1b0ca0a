"""The command that `stoker deploy` runs, and the file that it is followed by."""

import os
from pathlib import Path

import msgspec

from fleet.render import ROOT
from fleet.run.child import Feed, Given, command, last_words
from fleet.run.events import Turn

TURN = Turn(at=1, number=1, hosts=("a",))


def test_it_is_what_an_operator_would_type() -> None:
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        made = command(Given(inventory="inventory/prod.py", hosts=("a",)))
        assert made[1:] == ["-m", "pyinfra", "inventory/prod.py", "deploy.py", "-y"]
        limited = command(Given(inventory="i.py", hosts=("a",), limit=("a", "b"), data=("k=v",)))
        assert limited[5:] == ["-y", "--limit", "a", "--limit", "b", "--data", "k=v"]
        os.chdir("/")
        assert command(Given(inventory="i.py", hosts=()))[4:8] == [
            f"{ROOT}/deploy.py", "--config", f"{ROOT}/config.py", "-y",
        ]  # fmt: skip
    finally:
        os.chdir(here)


def test_events_are_read_as_they_come_and_never_by_halves(tmp_path: Path) -> None:
    path = tmp_path / "feed"
    path.touch()
    feed, line = Feed(path), msgspec.json.encode(TURN) + b"\n"
    assert list(feed.new()) == []
    path.write_bytes(line + line[:9])
    assert list(feed.new()) == [TURN]
    path.write_bytes(line + line)
    assert list(feed.new()) == [TURN]
    assert list(feed.new()) == []


def test_of_a_run_that_told_no_end_the_last_error_is_shown() -> None:
    text = (
        "--> Loading\n--> Disconnecting\n--> pyinfra error in x: refused\n    gpu-1: \x1b[31mno\n\n"
    )
    assert last_words(text) == ("--> pyinfra error in x: refused", "    gpu-1:  [31mno")
    assert last_words("a\nb\n") == ("a", "b")
