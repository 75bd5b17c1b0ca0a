"""The look at containers of others: what is told of them, and that no secret is."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent.rules import SECRET
from fleet.facts.foreign import Container, ForeignContainers, HostPort
from fleet.facts.foreign_look import caches, config, holds, owner
from tests.fleet.foreign_docker import ID, inspected, programs

PIN = f"org/model@{'c' * 40}"
UNIT = """Id=llm.service
ExecStart={{ path=/usr/bin/docker ; argv[]=/usr/bin/docker {} ; ignore_errors=no ; pid=0 }}
WorkingDirectory={}
"""


def look(directory: Path, units: str = "", *containers: dict[str, Any]) -> tuple[str, Any]:
    """Run what is sent to a host; return what it printed, and what is made of it."""
    programs(directory, list(containers), units)
    command = ForeignContainers().command([PIN]).get_raw_value()
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": f"{directory}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout, ForeignContainers().process(done.stdout.splitlines())


def test_a_container_of_the_tutorial(tmp_path: Path) -> None:
    printed, found = look(tmp_path, "", inspected())
    assert found == (
        Container(
            name="tgi",
            image="ghcr.io/huggingface/text-generation-inference:3.3",
            running=True,
            restart="always",
            ports=(HostPort(address="0.0.0.0", port=8080),),
            injection="legacy",
            devices="all",
            secrets=("HUGGING_FACE_HUB_TOKEN",),
            model="org/model",
        ),
    )
    assert "verysecret" not in printed


def test_ours_are_left_out(tmp_path: Path) -> None:
    config = {"Labels": {"stoker.engine": "main"}}
    assert look(tmp_path, "", inspected(Config=config))[1] == ()


def test_no_container_is_not_the_same_as_no_answer(tmp_path: Path) -> None:
    assert look(tmp_path)[1] == ()
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    command = ForeignContainers().command([PIN]).get_raw_value()
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ForeignContainers().process(done.stdout.splitlines()) is None


@pytest.mark.parametrize(
    ("environment", "words", "names"),
    [
        ({"HF_TOKEN": "hf_x"}, [], ["HF_TOKEN"]),
        ({"HF_TOKEN": ""}, [], []),
        ({"MY_HUB": "hf_x"}, [], ["MY_HUB"]),
        ({"TOKENIZERS_PARALLELISM": "false", "MAX_BATCH_TOTAL_TOKENS": "1"}, [], []),
        ({}, ["--api-key", "sk-1"], ["--api-key"]),
        ({}, ["--api-key=sk-1"], ["--api-key"]),
        ({}, ["--port", "80", "--x=a_TOKEN_b", "sk-api_key"], []),
        ({}, ["--enable-api-key", "--port"], []),
    ],
)
def test_secrets_are_told_by_name(
    environment: dict[str, str], words: list[str], names: list[str]
) -> None:
    assert config.secrets(environment, words, re.compile(SECRET.pattern)) == names


@pytest.mark.parametrize(
    ("environment", "words", "model"),
    [
        ({}, ["--model-id", "org/model"], "org/model"),
        ({}, ["--port", "80", "--model=org/model"], "org/model"),
        ({}, ["python3", "-m", "sglang.launch_server", "--model-path", "org/model"], "org/model"),
        ({}, ["serve", "org/model"], "org/model"),
        ({"MODEL_ID": "org/model"}, [], "org/model"),
        ({}, ["--model-id", f"/data/models--org--model/snapshots/{'c' * 40}"], "org/model"),
        ({}, ["--model-id", "/models/mine"], ""),
        ({}, [], ""),
    ],
)
def test_the_model_is_told_by_flag_or_variable(
    environment: dict[str, str], words: list[str], model: str
) -> None:
    assert config.model(environment, words) == model


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ({"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}, ("legacy", "all")),
        (
            {"DeviceRequests": [{"DeviceIDs": ["0", "1"], "Capabilities": [["gpu"]]}]},
            ("legacy", "0,1"),
        ),
        (
            {"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}]},
            ("cdi", "nvidia.com/gpu=all"),
        ),
        ({"Runtime": "nvidia"}, ("runtime", "all")),
        ({"Devices": [{"PathOnHost": "/dev/nvidia0"}]}, ("devices", "/dev/nvidia0")),
        ({"DeviceRequests": None, "Devices": None, "Runtime": "runc"}, ("", "")),
    ],
)
def test_how_gpus_came_in(host: dict[str, Any], told: tuple[str, str]) -> None:
    assert config.injection(host, {}) == told


def test_a_stopped_container_will_have_its_ports_again() -> None:
    stopped = inspected(State={"Running": False}, NetworkSettings={"Ports": {}})
    assert config.published(stopped) == [{"address": "0.0.0.0", "port": 8080}]


@pytest.mark.parametrize(
    ("command", "directory", "owned"),
    [
        ("run --rm --name tgi --gpus all image", "", True),
        ("run --name=tgi image", "", True),
        ("start -a tgi", "", True),
        ("run --name tgi-2 image", "", False),
        ("stop tgi", "", False),
        ("compose up", "/srv/llm", True),
        ("compose -f /srv/llm/compose.yml up", "", True),
        ("compose -f /srv/llm-2/compose.yml up", "", False),
        ("compose up", "/srv/other", False),
    ],
)
def test_the_unit_that_starts_it(command: str, directory: str, owned: bool) -> None:
    shown = UNIT.format(command, directory) + "\nId=docker.service\nExecStart=/usr/bin/dockerd\n"
    found = owner.owner("tgi", "/srv/llm", owner.read(shown))
    assert found == ("llm.service" if owned else "")


def test_who_starts_a_container_is_told(tmp_path: Path) -> None:
    labels = {
        "com.docker.compose.project": "llm",
        "com.docker.compose.project.working_dir": "/srv/llm",
    }
    units = UNIT.format("compose up", "/srv/llm")
    _, [found] = look(tmp_path, units, inspected(Config={"Labels": labels}))
    assert (found.unit, found.project, found.directory) == ("llm.service", "llm", "/srv/llm")


def test_a_script_that_a_unit_starts_is_read(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\ndocker rm -f tgi\nexec docker run --rm \\\n  --name tgi image\n")
    found = [{"name": "llm.service", "command": owner.script(script), "directory": ""}]
    assert owner.owner("tgi", "", found) == "llm.service"
    assert owner.owner("tg", "", found) == ""
    assert owner.script(Path("/bin/sh")) == ""


def test_a_process_tells_its_container() -> None:
    lines = f"12:devices:/docker/{ID}\n0::/system.slice/docker-{ID}.scope\n"
    assert holds.container_in(lines) == ID
    assert holds.container_in("0::/system.slice/ssh.service\n") == ""


class Cache:
    def __init__(self, path: Path, commit: str = "c" * 40) -> None:
        blobs = path / "models--org--model" / "blobs"
        snapshot = path / "models--org--model" / "snapshots" / commit
        blobs.mkdir(parents=True)
        snapshot.mkdir(parents=True)
        (blobs / "b").write_bytes(b"1234")
        (snapshot / "a.safetensors").symlink_to("../../blobs/b")
        (snapshot / "gone.json").symlink_to("../../blobs/gone")
        (snapshot / "hosts").symlink_to("/etc/hosts")


def mount(source: Path, target: str) -> dict[str, str]:
    return {"Type": "bind", "Source": str(source), "Destination": target}


@pytest.mark.parametrize(
    ("below", "target", "environment"),
    [
        ("", "/data", {}),
        ("hub", "/data", {}),
        ("hub", "/root/.cache/huggingface", {}),
        ("huggingface/hub", "/root/.cache", {}),
        ("hf/hub", "/models", {"HF_HOME": "/models/hf"}),
        ("x", "/models", {"HF_HUB_CACHE": "/models/x/"}),
    ],
)
def test_caches_are_found_where_engines_have_them(
    tmp_path: Path, below: str, target: str, environment: dict[str, str]
) -> None:
    Cache(tmp_path / below)
    one = inspected(Mounts=[mount(tmp_path, target)])
    [found] = caches.caches(one, environment, [PIN])
    assert found == {
        "path": str(tmp_path / below),
        "inside": False,
        "snapshots": [
            {"repo": "org/model", "commit": "c" * 40, "files": {"a.safetensors": 4}},
        ],
    }


def test_what_is_in_the_containers_own_layer_is_found_too(tmp_path: Path) -> None:
    Cache(tmp_path / "data")
    one = {**inspected(), "GraphDriver": {"Data": {"UpperDir": str(tmp_path)}}}
    [found] = caches.caches(one, {}, [PIN])
    assert (found["path"], found["inside"]) == (str(tmp_path / "data"), True)


def test_another_commit_is_told_without_its_files(tmp_path: Path) -> None:
    Cache(tmp_path, "d" * 40)
    [found] = caches.caches(inspected(Mounts=[mount(tmp_path, "/data")]), {}, [PIN])
    assert found["snapshots"] == [{"repo": "org/model", "commit": "d" * 40, "files": {}}]
