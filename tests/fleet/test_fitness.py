from typing import Any

import msgspec
import pytest

from fleet.facts.bare import Bare, BareHost, Listener
from fleet.facts.nvidia import Device, Nvidia
from fleet.fitness import DOCKER_ROOT, problems
from tests.fleet.samples import spec

GIB = 1024**3
ROOT = "/var/lib/stoker/models"
FIT = Bare(
    os="debian-13",
    machine="x86_64",
    python="3.13",
    nvidia=Nvidia(gpus=(Device("0000:06:00.0", "2330"),)),
    free={DOCKER_ROOT: 100 * GIB, ROOT: 100 * GIB},
)


def _problems(change: dict[str, Any], **data: Any) -> list[str]:
    return list(problems(spec(**data), msgspec.structs.replace(FIT, **change)))


def test_a_fit_host_has_none() -> None:
    assert _problems({}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"os": "debian-11"}, "runs debian-11"),
        ({"machine": "aarch64"}, "aarch64 machine"),
        ({"python": ""}, "no python3"),
        ({"curl": False}, "no curl"),
        ({"nvidia": Nvidia()}, "has 0 NVIDIA GPU(s) on its PCI bus, but driver_gpu_count is 1"),
        ({"run_file": True}, "nvidia-uninstall"),
        ({"docker": (20, 10, 24)}, "Docker 20.10.24, older than runtime_docker_minimum = 28.2"),
        ({"free": {DOCKER_ROOT: GIB, ROOT: 100 * GIB}}, "runtime_disk_floor_gib = 2"),
        ({"free": {DOCKER_ROOT: 100 * GIB, ROOT: GIB}}, "model_disk_floor_gib = 2"),
    ],
)
def test_each_thing_in_the_way_is_one_sentence(change: dict[str, Any], said: str) -> None:
    [problem] = _problems(change)
    assert said in problem


def test_weights_that_are_there_need_no_room() -> None:
    change = {"free": {DOCKER_ROOT: 100 * GIB, ROOT: 0}, "weights": (f"{ROOT}/org--model/c",)}
    assert _problems(change) == []


def test_a_docker_that_is_new_enough_may_stay() -> None:
    assert _problems({"docker": (28, 2, 0)}) == []


@pytest.mark.parametrize(
    ("listener", "known", "engines"),
    [
        (Listener(443, "nginx.service", "nginx"), True, ()),
        (Listener(9750, "stoker-agent.service", "python"), True, ()),
        (Listener(8080, "docker.service", "docker-proxy"), True, ("main",)),
        (Listener(22, "ssh.service", "sshd"), False, ()),
    ],
)
def test_our_own_ports_and_those_we_do_not_want_are_free(
    listener: Listener, known: bool, engines: tuple[str, ...]
) -> None:
    assert _problems({"listeners": (listener,), "known": known, "engines": engines}) == []


@pytest.mark.parametrize(
    ("listener", "said"),
    [
        (Listener(80, "apache2.service", "apache2"), "port 80, wanted by the gateway, is taken"),
        (Listener(443, "nginx.service", "nginx"), "nginx (nginx.service)"),
        (Listener(9750, "-", "python3"), "wanted by the agent (agent_port), is taken by python3"),
        (Listener(8080, "docker.service", "docker-proxy"), "wanted by engine main"),
    ],
)
def test_somebody_elses_port_is_said_once(listener: Listener, said: str) -> None:
    [problem] = _problems({"listeners": (listener, listener)})
    assert said in problem


def test_what_a_host_answers_is_read() -> None:
    output = """os=debian-13
machine=x86_64
python=3.13
container=docker
docker=26.1.5
known=yes
curl=yes
gpu=0000:06:00.0 2330 nvidia
gpu=0000:07:00.0 2330
engine=main
engine=next
engine=main
listener=22 ssh.service sshd
listener=4000 - ?
interface=ens3
free=5 /a
weights=/a/b""".splitlines()
    assert BareHost().process(output) == Bare(
        os="debian-13",
        machine="x86_64",
        python="3.13",
        container=True,
        docker=(26, 1, 5),
        known=True,
        nvidia=Nvidia(
            gpus=(Device("0000:06:00.0", "2330", "nvidia"), Device("0000:07:00.0", "2330"))
        ),
        engines=("main", "next"),
        listeners=(Listener(22, "ssh.service", "sshd"), Listener(4000, "-", "?")),
        free={"/a": 5},
        weights=("/a/b",),
        interface="ens3",
    )
