"""When a host converges to copies first: in its turn, in a run that changes something."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.spec import HostSpec
from fleet import batching, specs
from fleet.applying import When
from fleet.batching import Batch
from fleet.facts.engines import AgentStatus, Engine, State, Status
from fleet.release import given
from tests.fleet.samples import ENGINE, FakeHost

ALWAYS = Batch(("gpu-1",), When.ALWAYS)


class Inventory:
    """Hosts and their data, as pyinfra hands them to whoever asks."""

    def __init__(self, keys: Path, **hosts: dict[str, Any]) -> None:
        gateway = {"gateway_keys_file": str(keys), "gateway_tls": "local-ca"}
        old = Engine(State("SERVING"), "old", "org/model", "org/model", 8080)
        self.hosts = [FakeHost({AgentStatus: Status({"main": old})}, name) for name in hosts]
        for host in self.hosts:
            data = {**ENGINE, **gateway, "driver_gpu_count": 2, **hosts[host.name]}
            host.data = SimpleNamespace(dict=lambda data=data: data)  # type: ignore[attr-defined]
            host.inventory = self  # type: ignore[assignment]

    def __iter__(self) -> Iterator[FakeHost]:
        return iter(self.hosts)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"alice {'a' * 40}\n")
    path.chmod(0o600)
    return path


def engines(inventory: Inventory, batch: Batch = ALWAYS) -> set[str]:
    """Return what the first host of `inventory` converges to in its turn."""
    host: Any = inventory.hosts[0]
    return set(batching.beside(host, spec(inventory), batch).engines)


def spec(inventory: Inventory) -> HostSpec:
    host: Any = inventory.hosts[0]
    return specs.of(host)


def test_an_engine_that_nobody_else_serves_for_gets_a_copy(keys: Path) -> None:
    assert engines(Inventory(keys, gpu_1={})) == {"main", "main-copy"}
    other = {"engine_model": "org/other"}
    assert engines(Inventory(keys, gpu_1={}, gpu_2=other)) == {"main", "main-copy"}


def test_where_another_host_serves_the_model_none_is_needed(keys: Path) -> None:
    assert engines(Inventory(keys, gpu_1={}, gpu_2={})) == {"main"}


def test_asked_for_it_comes_all_the_same(keys: Path) -> None:
    asked = {"rollout_strategy": "blue/green"}
    assert engines(Inventory(keys, gpu_1=asked, gpu_2={})) == {"main", "main-copy"}


def test_a_host_whose_engines_do_not_change_is_left_as_it_is(keys: Path) -> None:
    assert engines(Inventory(keys, gpu_1={}), Batch(("gpu_1",), When.NOT_SERVING)) == {"main"}


def test_a_run_that_is_only_asked_leaves_out_what_is_there_on_the_way_alone(keys: Path) -> None:
    inventory = Inventory(keys, gpu_1={})
    state: Any = inventory.hosts[0].state
    batching.only_ask(state)
    assert engines(inventory) == {"main"}


def test_a_node_which_knows_no_others_makes_one_when_asked_alone(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = keys.parent
    (release / "files").mkdir()
    keys.rename(release / "files" / given.name(str(keys)))
    monkeypatch.setenv(given.VARIABLE, str(release))
    assert engines(Inventory(keys, gpu_1={})) == {"main"}
    assert engines(Inventory(keys, gpu_1={"rollout_strategy": "blue/green"})) == {
        "main",
        "main-copy",
    }
