"""The lock of a node while a check lasts."""

import json
import os
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

from fleet import holder
from fleet.drift.alone import BusyError, alone


def held(path: Path, **changed: object) -> None:
    other = msgspec.structs.replace(holder.me("a deploy"), by="mia@desk", **changed)
    lock = msgspec.to_builtins(other) | {"since": time.time(), "expires": time.time() + 120}
    path.write_text(json.dumps(lock | {"pid": other.pid}))


def test_it_is_held_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    with alone(path):
        assert json.loads(path.read_text())["by"] == "drift"
        with pytest.raises(BusyError, match="is held by drift"), alone(path):
            pass
    assert not path.exists()


def test_who_is_at_work_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    held(path, machine="another")
    with pytest.raises(BusyError, match="mia@desk"), alone(path):
        pass
    held(path)  # this very process: it lives
    with pytest.raises(BusyError, match="mia@desk"), alone(path):
        pass


def test_of_a_process_that_is_gone_it_is_taken_at_once(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    path = tmp_path / "lock.json"
    held(path, pid=gone.pid)
    with alone(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_it_is_given_back_when_a_check_breaks(tmp_path: Path) -> None:
    path = tmp_path / "lock.json"
    with pytest.raises(ZeroDivisionError), alone(path):
        raise ZeroDivisionError
    assert not path.exists()
