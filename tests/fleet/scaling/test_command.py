"""`stoker scale` from an inventory to its output, with hosts that answer as nodes do."""

import argparse
import io
import json
import time
from functools import partial
from pathlib import Path
from typing import cast

import msgspec
import pytest
from pyinfra.api.inventory import Inventory

from agent.errors import StokerError
from agent.model import Phase
from agent.spec import HostSpec
from fleet.command import WrongUseError
from fleet.commands.hosts import Answer, Ask
from fleet.scaling import command, notebook
from tests.agent.shown import engine, snapshot
from tests.fleet.commands.fakes import FakeHosts, gone, good
from tests.fleet.scaling.fleets import specs

ENOUGH = 3  # looks of a watch


class StopError(Exception):
    """Ends a watch."""


class Desk:
    """A control machine with an inventory, and a fleet whose queues a test sets."""

    def __init__(self, directory: Path, queues: dict[str, int | None], **data: object) -> None:
        self.directory, self.queues, self.data = directory, dict(queues), data
        self.now, self.looks = 1_000_000.0, 0
        self.out = io.StringIO()

    def load(self, _: str) -> tuple[Inventory, dict[str, HostSpec]]:
        if not self.queues:
            raise WrongUseError("inventory.py: holds no host")
        # The fake hosts never look at it.
        return cast("Inventory", None), specs(list(self.queues), **self.data)

    def answer(self, name: str, _: Ask) -> Answer:
        waiting = self.queues[name]
        if waiting is None:
            return gone(name)
        shown = engine(snapshot(Phase.SERVING), requests_waiting=waiting)
        document = msgspec.json.encode(shown).decode()
        return good(name, f"\nstoker-part:agent\n{document}\nstoker-part:now\n{int(time.time())}\n")

    def look(self, **given: object) -> int:
        options = {
            "inventory": "inventory.py",
            "model": None,
            "json": True,
            "watch": None,
            "line": None,
            "webhook": None,
            "webhook_secret_file": None,
            "deadline": 5.0,
            **given,
        }
        replies = {name: partial(self.answer, name) for name in ("a", "b", "c")}
        desk = command.Desk(
            load=self.load,
            connect=FakeHosts(replies).connect,
            clock=lambda: self.now,
            pause=self.pause,
            out=self.out,
            root=self.directory / "state",
        )
        return command.run(argparse.Namespace(**options), desk)

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.looks += 1
        if self.looks == ENOUGH:
            raise StopError

    @property
    def documents(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def model(self, number: int = -1) -> dict[str, object]:
        models = self.documents[number]["models"]
        assert isinstance(models, dict)
        found = models["org/model"]
        assert isinstance(found, dict)
        return found


def test_a_look(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"a": 20, "b": 25})
    assert desk.look() == 0
    found = desk.model()
    assert (found["current"], found["desired"], found["waiting"]) == (2, 5, 45)
    assert found["reason"] == (
        "45 request(s) wait in 2 replica(s), 22.5 on average, 10 are the target: that asks for 5"
    )


def test_for_people(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"a": 20, "b": None}, scaling_max=3)
    assert desk.look(json=False) == 3
    assert desk.out.getvalue().splitlines() == [
        "MODEL      REPLICAS  WANTED  WAITING  READY",
        "org/model  2         2       20       1",
        "",
        "org/model: 20 request(s) wait in 1 replica(s), 20 on average, 10 are the target: near "
        "enough; 1",
        "    unknown",
        "! b, engine main: cannot be reached over SSH: no answer",
    ]


def test_unreachable_hosts_never_take_a_replica_away(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"a": 0, "b": 0, "c": None}, scaling_max=5)
    for _ in range(3):
        assert desk.look() == 3
        assert desk.model()["desired"] == 3
        desk.now += 1000
    desk.queues["c"] = 0
    assert desk.look() == 0
    assert desk.model()["desired"] == 1


def test_what_one_run_saw_the_next_one_knows(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"a": 0, "b": 0})
    found = []
    for _ in range(7):
        desk.look()
        found.append(desk.model()["desired"])
        desk.now += 60
    assert found == [2, 2, 2, 2, 2, 1, 1]


def test_a_command_is_run_on_a_change_and_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tool = tmp_path / "tool"
    tool.write_text(f'#!/bin/sh\necho "$STOKER_MODEL $STOKER_CURRENT $STOKER_DESIRED" >>{log}\n')
    tool.chmod(0o755)
    desk = Desk(tmp_path, {"a": 20, "b": 25}, scaling_max=4)
    assert [desk.look(line=str(tool)) for _ in range(3)] == [0, 0, 0]
    assert log.read_text() == "org/model 2 4\n"
    assert desk.model()["told"] == {"command": "told"}
    tool.write_text("#!/bin/sh\nexit 4\n")
    desk.queues["b"] = 0
    desk.now += 1000
    assert desk.look(line=str(tool)) == 0  # 20 requests, two replicas: nothing to tell
    desk.queues["a"] = 0
    desk.now += 1000
    assert desk.look(line=str(tool)) == 1
    assert "ended with 4" in str(desk.model()["told"])


def test_a_watch_reads_the_inventory_anew(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"a": 20})

    def grow(seconds: float) -> None:
        desk.queues["a"], desk.queues["b"] = 10, 10
        Desk.pause(desk, seconds)

    desk.pause = grow  # type: ignore[method-assign]
    with pytest.raises(StopError):
        desk.look(watch=15.0)
    assert [desk.model(n)["current"] for n in range(ENOUGH)] == [1, 2, 2]


def test_a_watch_outlives_a_broken_inventory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = Desk(tmp_path, {})
    with pytest.raises(StopError):
        desk.look(watch=15.0)
    assert capsys.readouterr().err.count("stoker: ") == ENOUGH
    with pytest.raises(StokerError):
        desk.look()


def test_wrong_use(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"a": 20})
    with pytest.raises(WrongUseError, match="there are: org/model"):
        desk.look(model="org/other")
    with pytest.raises(WrongUseError, match="5 seconds or more"):
        desk.look(watch=0.1)
    with pytest.raises(WrongUseError, match="secret-file"):
        desk.look(webhook="https://x.example")


def test_a_broken_notebook_says_what_to_do(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"a": 20})
    path = notebook.place("inventory.py", tmp_path / "state")
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(StokerError, match="remove it to begin anew"):
        desk.look()
