"""Which containers of others are in the way, and what a deploy does with those that are named."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from pyinfra.api import StringCommand
from pyinfra.api.hiddenvalue import HiddenValue

from fleet import takeover
from fleet.facts.bare import Bare, Listener
from fleet.facts.docker import Docker
from fleet.facts.foreign import Cache, Container, ForeignContainers, HostPort, Snapshot
from fleet.fitness import problems
from fleet.operations import takeover as operations
from fleet.operations.told import Told
from fleet.operations.weights import WeightsComplete, weights
from tests.fleet.samples import FakeHost, commands, spec
from tests.fleet.test_fitness import FIT

TGI = Container(
    name="tgi",
    image="tgi:3.3",
    running=True,
    restart="always",
    ports=(HostPort(address="0.0.0.0", port=8080),),
    injection="legacy",
    devices="all",
    secrets=("HF_TOKEN",),
    model="org/model",
    caches=(
        Cache(
            path="/root/data",
            inside=False,
            snapshots=(
                Snapshot(repo="org/model", commit="c" * 40, files={"a.safetensors": 7}),
                Snapshot(repo="org/model", commit="d" * 40),
            ),
        ),
        Cache(
            path="/root/old", inside=False, snapshots=(Snapshot(repo="org/model", commit="d" * 40),)
        ),
    ),
)
PROXY = Listener(8080, "docker.service", "docker-proxy")


def found(*containers: Container, **changes: Any) -> Bare:
    return replace(FIT, containers=containers, **changes)


@pytest.mark.parametrize(
    ("container", "held"),
    [
        (TGI, "port 8080, wanted by engine main"),
        (
            replace(TGI, ports=(HostPort(address="::", port=443),)),
            "port 443, wanted by the gateway",
        ),
        (
            replace(TGI, ports=(HostPort(address="::", port=9750),)),
            "port 9750, wanted by the agent",
        ),
        (replace(TGI, ports=(), holds=("GPU-1", "GPU-2")), "2 GPU(s)"),
        (replace(TGI, holds=("GPU-1",)), "port 8080, wanted by engine main and 1 GPU(s)"),
        (replace(TGI, running=False), "port 8080"),  # Docker starts it with itself
    ],
)
def test_one_in_the_way_is_refused_with_what_to_set(container: Container, held: str) -> None:
    [said] = takeover.refusals(spec(), found(container))
    assert said.startswith(f"container tgi (tgi:3.3), which is not ours, holds {held}")
    assert "set runtime_take_over = ('tgi',) to" in said


@pytest.mark.parametrize(
    "container",
    [
        replace(TGI, ports=(HostPort(address="::", port=8081),)),
        replace(TGI, ports=()),  # GPUs that it could use, and does not
        replace(TGI, running=False, restart="unless-stopped"),
    ],
)
def test_one_that_is_not_in_the_way_is_left_alone(container: Container) -> None:
    assert list(takeover.refusals(spec(), found(container))) == []


def test_a_host_without_gpus_minds_nobody_on_one() -> None:
    some = replace(TGI, ports=(), holds=("GPU-1",))
    assert list(takeover.refusals(spec(engine_gpus=0), found(some))) == []


def test_the_key_keeps_the_names_that_it_has() -> None:
    [said] = takeover.refusals(spec(runtime_take_over=["old"]), found(TGI))
    assert "runtime_take_over = ('old', 'tgi')" in said


def test_its_port_is_no_reason_of_its_own() -> None:
    host = found(TGI, listeners=(PROXY,))
    assert list(problems(spec(runtime_take_over=["tgi"]), host)) == []
    [said] = problems(spec(), host)
    assert "runtime_take_over" in said
    [said] = problems(spec(), found(listeners=(PROXY,)))
    assert "docker-proxy" in said
    squatter = Listener(8080, "apache2.service", "apache2")
    [said] = problems(spec(runtime_take_over=["tgi"]), found(TGI, listeners=(squatter,)))
    assert "apache2" in said


def test_who_holds_the_gateways_port_goes_before_it_comes() -> None:
    web = replace(TGI, name="web", ports=(HostPort(address="0.0.0.0", port=80),))
    host, wish = found(TGI, web), spec(runtime_take_over=["tgi", "web", "gone"])
    assert takeover.early(wish, host) == ["web"]
    assert takeover.late(wish, host) == ["tgi"]
    assert takeover.late(spec(), host) == []


@pytest.mark.parametrize(
    ("there", "named", "serves"),
    [
        ((TGI,), ["tgi"], True),
        ((replace(TGI, running=False),), ["tgi"], False),
        ((TGI,), [], False),
        (None, ["tgi"], False),
    ],
)
def test_a_host_is_not_shut_while_one_to_be_taken_over_serves(
    there: tuple[Container, ...] | None, named: list[str], serves: bool
) -> None:
    host = replace(FIT, containers=there)
    assert takeover.serving(spec(runtime_take_over=named), host) is serves


def test_where_docker_did_not_answer_it_is_looked_again() -> None:
    host = replace(FIT, containers=None)
    assert list(takeover.refusals(spec(), host)) == []
    assert takeover.late(spec(runtime_take_over=["tgi"]), host) == ["tgi"]
    assert "is not known" in next(takeover.warnings(spec(), host))


def test_only_caches_with_something_wanted_are_used() -> None:
    assert takeover.caches(spec(runtime_take_over=["tgi"]), found(TGI)) == ["/root/data"]
    assert takeover.caches(spec(), found(TGI)) == []
    other = spec(runtime_take_over=["tgi"], engine_revision="e" * 40)
    assert takeover.caches(other, found(TGI)) == []


@pytest.mark.parametrize(
    ("change", "named", "said"),
    [
        ({}, [], "start it with --device nvidia.com/gpu=all instead"),
        ({}, ["tgi"], "it may fail before it is taken over"),
        ({"injection": "cdi"}, [], None),
        ({"running": False}, [], None),
    ],
)
def test_the_legacy_hook_is_warned_of(
    change: dict[str, Any], named: list[str], said: str | None
) -> None:
    host = found(replace(TGI, **change))
    warnings = list(takeover.warnings(spec(runtime_take_over=named), host))
    assert [one.rpartition("; ")[2] for one in warnings] == ([said] if said else [])


@pytest.mark.parametrize(
    ("model", "port", "engine"),
    [("ORG/Model", 9, "main"), ("", 8080, "main"), ("org/else", 9, None)],
)
def test_the_engine_that_follows_has_its_model_or_its_port(
    model: str, port: int, engine: str | None
) -> None:
    one = replace(TGI, model=model, ports=(HostPort(address="::", port=port),))
    assert takeover.replaced(spec(), one) == engine


def test_docker_of_the_distribution_is_replaced() -> None:
    old = found(docker=(28, 2), dockerd=Docker(old=("docker.io",)))
    assert takeover.docker_replaced(spec(), old)
    assert not takeover.docker_replaced(spec(), found(docker=(28, 2)))


def test_caches_are_used_before_anything_is_fetched() -> None:
    host = FakeHost({WeightsComplete: False})
    token = HiddenValue("t0ken")
    use, fetch = commands(
        host,
        lambda: weights._inner(
            "main", "/p", {"/w": ""}, code=False, token=token, caches=["/root/my data"], etc="/e"
        ),
    )
    wanted = "/p -m agent.weights.command use --etc /e main '/root/my data'"
    assert use.get_raw_value().startswith(wanted)
    assert isinstance(use, Told)
    assert "systemctl start" in fetch.get_raw_value()


def remove(*there: Container) -> tuple[FakeHost, list[StringCommand]]:
    host = FakeHost({ForeignContainers: there})
    return host, commands(host, lambda: operations.removed._inner(["tgi"], 330))


def test_nothing_is_removed_twice_and_nobody_else() -> None:
    host, made = remove(replace(TGI, name="other"))
    assert made == []
    assert host.noops


def test_silence_of_docker_is_no_permission() -> None:
    host = FakeHost({ForeignContainers: None})
    [command] = commands(host, lambda: operations.removed._inner(["tgi"], 330))
    assert "Docker does not answer" in command.get_raw_value()


class Machine:
    """A directory with a docker and a systemctl that note what is asked of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.program("docker", 'case "$1" in ps) cat left ;; esac')
        self.program("systemctl", "true")
        (directory / "left").write_text("")

    def program(self, name: str, body: str) -> None:
        (self.directory / name).write_text(f'#!/bin/sh\necho "{name} $*" >>asked\n{body}\n')
        (self.directory / name).chmod(0o755)

    def run(self, one: Container) -> tuple[int, str, list[str]]:
        _, [command] = remove(one)
        assert command.connector_arguments["_timeout"] > 330
        done = subprocess.run(
            ["/bin/sh", "-c", command.get_raw_value()],
            cwd=self.directory,
            env={"PATH": f"{self.directory}:{os.environ['PATH']}"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        asked = (self.directory / "asked").read_text().splitlines()
        return done.returncode, done.stdout, [one for one in asked if "inspect" not in one]


def test_it_gets_its_time_and_its_policy_is_taken_off_after_the_stop(tmp_path: Path) -> None:
    code, said, asked = Machine(tmp_path).run(TGI)
    assert code == 0
    assert asked == [
        "docker stop -t 330 tgi",
        "docker stop -t 0 tgi",
        "docker update --restart=no tgi",
        "docker rm -f tgi",
        "docker ps -aq --filter name=^/tgi$",
    ]
    assert "HF_TOKEN, for all to read: revoke what that was" in said


def test_its_unit_is_disabled_without_a_reload_and_stopped_after_it(tmp_path: Path) -> None:
    code, _, asked = Machine(tmp_path).run(replace(TGI, unit="llm.service"))
    assert code == 0
    assert asked[:3] == [
        "systemctl disable --no-reload llm.service",
        "docker stop -t 330 tgi",
        "systemctl stop llm.service",
    ]


def test_compose_is_told_of(tmp_path: Path) -> None:
    _, said, _ = Machine(tmp_path).run(replace(TGI, project="llm", directory="/srv/llm"))
    assert "Compose would start it again: take it out of llm in /srv/llm" in said


def test_one_that_stays_fails_the_operation(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "left").write_text("abc\n")
    code, said, _ = machine.run(TGI)
    assert code == 1
    assert said.splitlines()[-1] == "container tgi cannot be removed"
