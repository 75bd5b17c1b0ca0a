"""A run as pyinfra drives it, with a state that is only what is looked at: hooks, events, lines."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import State

from fleet import batching, locking
from fleet.applying import When
from fleet.batching import Batch
from fleet.run import events, summary
from fleet.run.events import AnyEvent, Changed, Ended, Operation, Turn
from fleet.run.watch import Run

ORDER = ("base | place x", "rollout | now a", "engine | run", "rollout | now b", "engine | run 2")
MINE = {"a": (0, 1, 2, 3), "b": (0, 1, 3, 4)}


class FakeMeta:
    """What pyinfra knows of an operation on a host: None = it was not run."""

    def __init__(self) -> None:
        self.success: bool | None = None
        self.changed, self.stderr_lines, self.stdout_lines = False, ["oh", "no"], ["main: SERVING"]

    def is_complete(self) -> bool:
        return self.success is not None

    def did_change(self) -> bool:
        return bool(self.success and self.changed)

    def did_succeed(self) -> bool:
        return self.success is True


class Named:
    def __init__(self, **facts: Any) -> None:
        self.__dict__.update(facts)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


class FakeState:
    """Two hosts, `a` and `b`, each with a batch of its own; keys are the operations' numbers."""

    def __init__(self) -> None:
        self.hosts = [Named(name=name, op_hash_order=list(map(str, MINE[name]))) for name in MINE]
        self.inventory = self.hosts
        self.activated_hosts = set(self.hosts)
        self.active_hosts = set(self.hosts)
        self.failed_hosts: set[Any] = set()
        self.op_meta = {str(n): Named(names={name}) for n, name in enumerate(ORDER)}
        self.ops = {
            host: {key: Named(operation_meta=FakeMeta()) for key in host.op_hash_order}
            for host in self.hosts
        }
        batches = (Batch(("a",), When.ALWAYS), Batch(("b",), When.ALWAYS))
        batching._made[cast("State", self)] = batches

    def get_op_order(self) -> list[str]:
        return list(self.op_meta)


class Driven:
    """A run driven as pyinfra does; `says` maps hooks to why they fail."""

    def __init__(self, feed: Path, **says: str) -> None:
        self.state, self.says, self.hooks = FakeState(), says, list[tuple[str, str]]()
        self.feed = feed
        releases = {"a": "r-a", "b": "r-b"}
        self.run = Run(cast("State", self.state), "deploy.py", "prod.py", releases, self._hook)

    def _hook(self, name: str, facts: Mapping[str, str]) -> str:
        self.hooks.append((name, facts["STOKER_HOSTS"] + facts.get("STOKER_OUTCOME", "")))
        return self.says.get(name.replace("-", "_"), "")

    def go(self, *, fails: tuple[str, str] | None = None) -> Ended:
        state = cast("State", self.state)
        try:
            for key in self.state.get_op_order():
                self.run.operation_start(state, key)
                for host in [one for one in self.state.hosts if key in self.state.ops[one]]:
                    meta = self.state.ops[host][key].operation_meta
                    meta.success = (host.name, key) != fails
                    meta.changed = "rollout" not in ORDER[int(key)]
                    if not meta.success:
                        self.state.failed_hosts.add(host)
                        raise PyinfraError("over 0 % failed")
                self.run.operation_end(state, key)
        except PyinfraError:
            pass
        return self.run.finish()

    @property
    def told(self) -> list[AnyEvent]:
        return list(events.lines(self.feed.read_bytes()))

    def written(self, name: str) -> dict[str, object]:
        [host] = [one for one in self.state.hosts if one.name == name]
        return self.run.ended(host)  # type: ignore[arg-type]


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "feed"
    os.environ[events.VARIABLE] = str(path)
    yield path
    del os.environ[events.VARIABLE]


def test_a_good_run_from_its_first_hook_to_its_last(feed: Path) -> None:
    driven = Driven(feed)
    end = driven.go()
    assert summary.verdict(end) == "done"
    assert driven.hooks == [
        ("pre-deploy", "a b"),
        ("pre-batch", "a"),
        ("post-batch", "adone"),
        ("pre-batch", "b"),
        ("post-batch", "bdone"),
        ("post-deploy", "a bdone"),
    ]
    assert [one.hosts for one in driven.told if isinstance(one, Turn)] == [("a",), ("b",)]
    changed = {one.name: one.hosts for one in driven.told if isinstance(one, Changed)}
    assert changed == {ORDER[0]: ("a", "b"), ORDER[2]: ("a",), ORDER[4]: ("b",)}
    line = driven.written("a")
    assert (line["event"], line["release"], line["changes"]) == ("deployed", "r-a", 2)
    assert {one.host: one.engines for one in end.hosts} == dict.fromkeys("ab", ("main: SERVING",))


def test_the_first_host_that_fails_and_the_one_that_was_never_touched(feed: Path) -> None:
    driven = Driven(feed)
    end = driven.go(fails=("a", "2"))
    found = {one.host: (one.verdict, one.reached, one.failed) for one in end.hosts}
    assert found == {"a": ("failed", True, ORDER[2]), "b": ("stopped", False, "")}
    assert end.hosts[0].lines == ("oh", "no")
    assert driven.hooks[-2:] == [("post-batch", "afailed"), ("post-deploy", "a bfailed")]
    assert driven.written("a")["event"] == "deploy-failed"
    assert driven.written("a")["failed"] == ORDER[2]
    assert driven.written("b")["event"] == "deploy-stopped"


def test_a_hook_that_says_no_forbids_the_deploy(feed: Path) -> None:
    driven = Driven(feed, pre_deploy="it is Friday")
    end = driven.go()
    assert end.problem == "nothing was changed on any host, for a hook says no: it is Friday"
    assert driven.hooks == [("pre-deploy", "a b")]
    assert {one.verdict for one in end.hosts} == {"not begun"}
    assert not [one for one in driven.told if isinstance(one, Operation)]
    assert driven.written("a")["event"] == "deploy-not-begun"


def test_a_hook_that_says_no_to_a_batch_leaves_it_untouched(feed: Path) -> None:
    driven = Driven(feed, pre_batch="the balancer is down")
    end = driven.go()
    assert end.problem == "stopped before a, for a hook says no: the balancer is down"
    assert [(one.verdict, one.reached) for one in end.hosts] == [("stopped", False)] * 2
    assert [name for name, _ in driven.hooks] == ["pre-deploy", "pre-batch", "post-deploy"]


def test_hosts_that_lose_no_traffic_need_no_hook(feed: Path) -> None:
    driven = Driven(feed)
    batches = (Batch(("a",), When.NOT_SERVING), Batch(("b",), When.ALWAYS))
    batching._made[cast("State", driven.state)] = batches
    driven.go()
    assert [host for name, host in driven.hooks if name == "pre-batch"] == ["b"]


def test_a_host_that_was_taken_away_ends_the_run(feed: Path) -> None:
    driven = Driven(feed)
    locking._lost[cast("State", driven.state)] = "a is held by bob"
    end = driven.go()
    assert end.problem == "stopped: a is held by bob"
    assert {one.verdict for one in end.hosts} == {"not begun"}
