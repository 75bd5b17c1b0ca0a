"""What of Docker's is in the way, and what of it a look at a host finds."""

import pytest
from msgspec.structs import replace

from fleet import docker_fitness
from fleet.facts.bare import Bare
from fleet.facts.docker import LOOK, Docker, Runs, read_docker
from tests.fleet.samples import spec

OLD = Docker(old=("docker.io", "containerd", "runc"), answers=True, root="/var/lib/docker")
OURS = Docker(ours=True, answers=True, root="/var/lib/docker")
WEB = Runs("web", "nginx:1")


def _problems(
    docker: Docker,
    version: tuple[int, ...] = (29, 1),
    engines: tuple[str, ...] = (),
    **data: object,
) -> list[str]:
    found = Bare(
        os="debian-13",
        machine="x86_64",
        python="3.13",
        docker=version,
        dockerd=docker,
        engines=engines,
    )
    return list(docker_fitness.problems(spec(**data), found))


@pytest.mark.parametrize("docker", [Docker(), OLD, OURS, replace(OURS, containers=(WEB,))])
def test_what_can_be_done_with_nothing_lost_is_no_problem(docker: Docker) -> None:
    assert _problems(docker) == []


def test_a_distributions_docker_that_is_too_old_is_simply_replaced() -> None:
    assert _problems(OLD, (20, 10, 24)) == []


def test_our_docker_that_is_too_old_is_simply_upgraded() -> None:
    assert _problems(OURS, (24, 0, 7)) == []


@pytest.mark.parametrize(
    ("docker", "version"),
    [(replace(OLD, containers=(WEB,)), (29, 1)), (replace(OURS, containers=(WEB,)), (24, 0, 7))],
)
def test_containers_that_would_go_with_it_are_named(docker: Docker, version: tuple[int]) -> None:
    [sentence] = _problems(docker, version)
    assert "web (nginx:1)" in sentence
    assert "docker stop" in sentence
    assert "runtime_take_over" in sentence


def test_live_restore_is_no_promise_over_another_release() -> None:
    assert _problems(replace(OLD, containers=(WEB,), live_restore=True))


def test_a_container_whose_place_an_engine_takes_may_go() -> None:
    taken = replace(OLD, containers=(WEB, Runs("tgi", "tgi:3")))
    [sentence] = _problems(taken, runtime_take_over=("tgi",))
    assert "web" in sentence
    assert "tgi" not in sentence
    assert _problems(taken, runtime_take_over=("tgi", "web")) == []


def test_a_docker_of_no_package_cannot_be_upgraded() -> None:
    [sentence] = _problems(Docker(), (24, 0, 7))
    assert "Docker 24.0.7, older than runtime_docker_minimum = 28.2" in sentence


def test_a_swarm_is_refused() -> None:
    [sentence] = _problems(replace(OURS, swarm=True))
    assert "docker swarm leave" in sentence


def test_data_is_not_moved_under_what_runs() -> None:
    moved = {"data-root": "/nvme"}
    there = replace(OURS, root="/nvme")
    assert _problems(OURS, runtime_daemon=moved) == []
    assert _problems(there, engines=("main",), runtime_daemon=moved) == []
    [sentence] = _problems(OURS, engines=("main",), runtime_daemon=moved)
    assert "/var/lib/docker" in sentence
    assert "/nvme" in sentence
    assert "main" in sentence


def test_the_look_is_read() -> None:
    found = {
        "docker_package": ["docker.io", "runc"],
        "dockerd": ["26.1.5+dfsg1 true inactive nvidia /var/lib/docker"],
        "in_docker": ["web nginx:1 ", "stoker-main example/engine@sha256:0 main"],
    }
    assert read_docker(found) == Docker(
        old=("docker.io", "runc"),
        answers=True,
        live_restore=True,
        default_runtime="nvidia",
        root="/var/lib/docker",
        containers=(WEB,),
    )
    assert read_docker({}) == Docker()
    assert read_docker({"docker_package": ["docker-ce"]}) == Docker(ours=True)


def test_the_look_reads_and_nothing_else() -> None:
    assert not {"rm", "stop", "kill", "restart", "purge"} & set(LOOK.split())
