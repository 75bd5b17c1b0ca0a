"""What is found of ports, secrets, containers, Docker, CDI and the certificate."""

import hashlib
import json
from typing import Any

import pytest

from agent.certificate import Validity
from agent.doctor.containers import container
from agent.doctor.examinations.cdi import Cdi
from agent.doctor.examinations.certificate import CONF, Certificate, Served, covers
from agent.doctor.examinations.dockerd import CONF as DAEMON
from agent.doctor.examinations.dockerd import STAMP, Dockerd
from agent.doctor.examinations.foreign_containers import ContainerSecrets, LegacyInjection
from agent.doctor.examinations.ports import EnginePorts, PublishedPorts
from agent.doctor.examinations.secret_files import ForeignSecrets, SecretFiles
from agent.doctor.node import Look, Ran
from agent.doctor.secrets import hidden
from agent.doctor.seen import MANIFEST
from agent.errors import SourceError
from agent.sources.gpu import Gpu
from tests.agent.doctor.fakes import DAY, NOW, FakeNode, found, nvml, told
from tests.fleet.samples import spec

SPEC = spec(driver_gpu_count=1)
SS = 'LISTEN 0 4096 {}:8080 0.0.0.0:* users:(("docker-proxy",pid=1,fd=4))\n'


@pytest.mark.parametrize(
    ("address", "told_of"),
    [("127.0.0.1", 0), ("[::1]", 0), ("[::ffff:127.0.0.1]", 0), ("0.0.0.0", 1), ("[::]", 1),
     ("*", 1), ("10.0.0.7", 1)],
)  # fmt: skip
def test_an_engine_is_reached_by_the_gateway_alone(address: str, told_of: int) -> None:
    findings = found(EnginePorts(), FakeNode({}, {"ss": SS.format(address)}), SPEC)
    assert len(findings) == told_of
    for one in findings:
        assert "(docker-proxy)" in one.message
        assert "stokerctl restart main" in one.fix


def test_ports_of_others_are_no_engines() -> None:
    line = "LISTEN 0 128 0.0.0.0:22 0.0.0.0:*\n"
    assert found(EnginePorts(), FakeNode({}, {"ss": line}), SPEC) == []
    with pytest.raises(SourceError):
        found(EnginePorts(), FakeNode(), SPEC)


def inspected(**changed: Any) -> dict[str, Any]:
    """As Docker 29 shows the tutorial's container."""
    return {
        "Name": "/tgi",
        "Config": {
            "Image": "ghcr.io/huggingface/text-generation-inference:latest",
            "Env": ["HUGGING_FACE_HUB_TOKEN=hf_x", "MAX_TOTAL_TOKENS=4096", "PATH=/usr/bin"],
        },
        "HostConfig": {
            "Runtime": "runc",
            "DeviceRequests": [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}],
        },
        "NetworkSettings": {
            "Ports": {
                "80/tcp": [
                    {"HostIp": "0.0.0.0", "HostPort": "8080"},
                    {"HostIp": "::", "HostPort": "8080"},
                ],
                "9000/tcp": None,
            }
        },
        **changed,
    }


def docker(*shown: dict[str, Any], **info: Any) -> FakeNode:
    told_of = {"ServerVersion": "29.1.0", "LiveRestoreEnabled": True, "DefaultRuntime": "runc"}
    commands = {
        "docker info": json.dumps({**told_of, **info}),
        "docker ps": "".join(f"{number}\n" for number, _ in enumerate(shown)),
        "docker inspect": json.dumps(shown),
    }
    return FakeNode({}, commands)


def test_the_tutorials_container_has_four_faults() -> None:
    node = docker(inspected())
    assert told(found(PublishedPorts(), node, SPEC)) == [
        "warning: container tgi publishes port 8080 on every address"
    ]
    [secret] = found(ContainerSecrets(), node, SPEC)
    assert "HUGGING_FACE_HUB_TOKEN in its environment" in secret.message
    assert "hf_x" not in secret.message + secret.fix
    assert "MAX_TOTAL_TOKENS" not in secret.message
    [legacy] = found(LegacyInjection(), node, SPEC)
    assert "by --gpus" in legacy.message
    assert "runtime_take_over = ('tgi',)" in legacy.fix


def test_a_port_that_the_firewall_lets_in_is_meant() -> None:
    node = docker(inspected())
    node.commands["docker inspect"] = node.commands["docker inspect"].replace("8080", "9100")
    allowed = spec(firewall_allow={"9100": ("10.0.0.0/8",)})
    assert found(PublishedPorts(), node, allowed) == []


def test_a_container_of_ours_has_none() -> None:
    cdi = [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=GPU-a"], "Capabilities": []}]
    ports = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
    ours = inspected(
        Config={"Image": "x", "Env": ["HF_HUB_OFFLINE=1", "HF_HUB_DISABLE_IMPLICIT_TOKEN=1"]},
        HostConfig={"Runtime": "runc", "DeviceRequests": cdi},
        NetworkSettings={"Ports": ports},
    )
    node = docker(ours)
    for examination in (PublishedPorts(), ContainerSecrets(), LegacyInjection()):
        assert found(examination, node, SPEC) == []


def test_the_old_runtime_of_one_container_and_of_all() -> None:
    shown = inspected(HostConfig={"Runtime": "nvidia", "DeviceRequests": None})
    assert container(shown).legacy == "--runtime nvidia"
    [one] = told(found(LegacyInjection(), docker(DefaultRuntime="nvidia"), SPEC))
    assert one == ("warning: Docker's default runtime is nvidia: every container goes through it")


def test_a_container_that_ends_while_it_is_looked_at_hides_no_other() -> None:
    node = docker(inspected())
    node.commands["docker inspect"] = Ran(1, json.dumps([inspected()]), "no such object: 7")
    assert len(found(ContainerSecrets(), node, SPEC)) == 1


@pytest.mark.parametrize(
    ("name", "value", "is_one"),
    [
        ("HF_TOKEN", "hf_x", True),
        ("openai_api_key", "'sk-x'", True),
        ("HF_TOKEN_PATH", "/run/x", False),
        ("HF_TOKEN", "", False),
        ("HF_TOKEN", "$TOKEN", False),
        ("MAX_TOTAL_TOKENS", "4096", False),
        ("TOKENIZERS_PARALLELISM", "false", False),
        ("CREDENTIALS_DIRECTORY", "/run/credentials", False),
    ],
)
def test_names_that_hide_a_secret(name: str, value: str, is_one: bool) -> None:
    assert hidden(name, value) is is_one


def test_secrets_of_ours_are_roots_alone() -> None:
    keys = "/etc/stoker/secrets/gateway-keys.conf"
    node = FakeNode({keys: "x"}, looks={keys: Look(mode=0o600)})
    assert found(SecretFiles(), node, SPEC) == []
    for look, said in ((Look(mode=0o640), "mode 640"), (Look(mode=0o600, user=7), "not root's")):
        [one] = found(SecretFiles(), FakeNode(looks={keys: look}), SPEC)
        assert said in one.message
        assert f"chmod 600 {keys}" in one.fix


def test_tokens_of_others_that_every_user_may_read() -> None:
    files = {
        "/etc/default/tgi": "export HF_TOKEN=hf_x\nPORT=1\n# API_KEY=x\n",
        "/etc/systemd/system/tgi.service": '[Service]\nEnvironment="API_KEY=x"\n',
        "/root/.env": "HF_TOKEN=hf_x\n",
        "/home/me/.cache/huggingface/token": "hf_x",
        "/etc/default/cron": "HF_TOKEN_PATH=/run/x\n",
    }
    looks = {"/root/.env": Look(shut=True), "/home/me/.cache/huggingface/token": Look(mode=0o644)}
    findings = found(ForeignSecrets(), FakeNode(files, looks=looks), SPEC)
    assert [one.message.split(" and ")[0] for one in findings] == [
        "/etc/default/tgi holds HF_TOKEN",
        "/etc/systemd/system/tgi.service holds API_KEY",
        "/home/me/.cache/huggingface/token holds a Hub token",
    ]
    assert "hf_x" not in str(findings)


def settings(lies: str | None, runs: str, deployed: str = "good") -> FakeNode:
    digest = hashlib.sha256(deployed.encode()).hexdigest()
    entry = {"sha256": digest, "mode": "644", "user": "root", "group": "root"}
    node = docker()
    node.files = {
        MANIFEST: json.dumps({"files": {DAEMON: entry}}),
        STAMP: hashlib.sha256(runs.encode()).hexdigest() + "\n",
        **({} if lies is None else {DAEMON: lies}),
    }
    return node


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (settings("good", "good"), ""),
        (settings("other", "good"), "is not as it was deployed"),
        (settings(None, "good"), "is missing"),
        (settings("good", "before"), "Docker runs with other settings"),
    ],
)
def test_dockers_settings(node: FakeNode, said: str) -> None:
    findings = told(found(Dockerd(), node, SPEC))
    assert len(findings) == bool(said)
    assert said in "".join(findings)


def test_docker_itself() -> None:
    assert (
        "live-restore is off" in told(found(Dockerd(), docker(LiveRestoreEnabled=False), SPEC))[0]
    )
    [old] = told(found(Dockerd(), docker(ServerVersion="20.10.24+dfsg1"), SPEC))
    assert old.startswith("fault: Docker is 20.10.24+dfsg1, runtime_docker_minimum is 28.2")
    assert "not installed" in told(found(Dockerd(), FakeNode(), SPEC))[0]
    assert found(Dockerd(), FakeNode(), None) == []
    down = FakeNode({}, {"docker info": Ran(1, "", "Cannot connect to the Docker daemon")})
    assert told(found(Dockerd(), down, SPEC))[0].startswith("fault: Docker does not answer")


def cdi(text: str | None, *, written: float = 20.0) -> FakeNode:
    path, library = "/var/run/cdi/nvidia.yaml", "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"
    files = {"/usr/bin/nvidia-ctk": "", **({} if text is None else {path: text})}
    looks = {library: Look(time=99.0, arrived=10.0)} | (
        {} if text is None else {path: Look(time=written)}
    )
    return FakeNode(files, nvml(Gpu(index=0, uuid="GPU-a")), looks=looks)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (cdi("- name: GPU-a"), ""),
        (cdi("- name: '0'"), ""),
        (cdi(None), "fault: there is no CDI specification"),
        (cdi("- name: GPU-b"), "fault: the CDI specification lacks 1 GPU(s): GPU-a"),
        (cdi("- name: GPU-a", written=5.0), "warning: /var/run/cdi/nvidia.yaml is older"),
    ],
)
def test_the_cdi_specification(node: FakeNode, said: str) -> None:
    findings = told(found(Cdi(), node, SPEC))
    assert len(findings) == bool(said)
    assert "".join(findings).startswith(said)
    assert found(Cdi(), FakeNode(), spec(driver_gpu_count=0, engine_gpus=0)) == []


def served(
    left: float, *, lifetime: float = 90.0, names: tuple[str, ...] | None = ("api.example",),
    same: bool | None = True,
) -> Served:  # fmt: skip
    ends = NOW + left * DAY
    valid = Validity(begins=ends - lifetime * DAY, ends=ends)
    return Served(path="/c", validity=valid, names=names, same=same)


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (served(60), ""),
        (served(13), "warning: the certificate expires in 13.0 days"),
        (served(4, lifetime=6), ""),
        (served(1.5, lifetime=6), "warning: the certificate expires in 1.5 days"),
        (served(-1), "fault: the certificate has expired 1 days ago"),
        (served(91), "fault: the certificate is not good yet"),
        (served(60, names=("*.example",)), ""),
        (served(60, names=("other.example",)), "fault: the certificate is for other.example, not"),
        (served(60, names=None), "unknown: the names in the certificate cannot be read"),
        (served(60, same=False), "warning: nginx serves another certificate"),
        (served(60, same=None), ""),
        (Served(path="/c"), "fault: /c is missing"),
        (None, ""),
    ],
)
def test_the_certificate(reading: Served | None, said: str) -> None:
    named = spec(gateway_server_name="api.example")
    findings = told(Certificate().judge(reading, named, NOW))
    assert len(findings) == bool(said)
    assert "".join(findings).startswith(said)


def test_names_stand_for_one_label() -> None:
    assert covers(("*.example.com",), "API.example.com")
    assert not covers(("*.example.com",), "a.b.example.com")


def test_a_certificate_that_cannot_be_read_is_unknown() -> None:
    files = {CONF: "  ssl_certificate /c;\n", "/c": "no certificate"}
    with pytest.raises(SourceError, match="/c holds no certificate"):
        found(Certificate(), FakeNode(files), SPEC)
    assert told(found(Certificate(), FakeNode({CONF: "  ssl_certificate /c;\n"}), SPEC))[0] == (
        "fault: /c is missing: nginx cannot start"
    )
