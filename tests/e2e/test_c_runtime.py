"""Docker, the toolkit and the CDI specification of a host that serves: mended under a stream."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e import tuned
from tests.e2e.faults import Node
from tests.e2e.world import Run, wait_for
from tests.sandbox.nvml.state import gpu_uuid

SECOND = 50  # tokens, the simulator's
DAEMON_JSON, CDI = "/etc/docker/daemon.json", "/var/run/cdi/nvidia.yaml"
FOUR = (
    "nvidia-container-toolkit nvidia-container-toolkit-base "
    "libnvidia-container-tools libnvidia-container1"
)
VERSIONS = f"dpkg-query -W -f '${{Version}} ${{db:Status-Want}}\\n' {FOUR} | sort -u"
# What `dpkg -i` by hand, or a half-done upgrade, leaves behind.
MIX = (
    "cd /tmp && apt-get -q download libnvidia-container1=1.19.1-1 >/dev/null 2>&1"
    " && dpkg -i --force-downgrade,depends libnvidia-container1_1.19.1-1_amd64.deb >/dev/null 2>&1"
)
# A restart of dockerd ends every container then.
FATAL = {"live-restore": False}
# What `nvidia-ctk runtime configure --set-as-default` writes.
LEGACY = {"default-runtime": "nvidia"}
WRITE = """python3 - <<'END'
import json, pathlib
path = pathlib.Path("{path}")
path.write_text(json.dumps(json.loads(path.read_text()) | json.loads('{more}')))
END"""


def _deploy(node: Node) -> Run:
    settings = [part for k, v in tuned.IMPATIENT.items() for part in ("--data", f"{k}={v}")]
    return node.world.deploy("--limit", node.host, *settings)


def _dockerd(node: Node) -> str:
    return node.shell("systemctl show -P MainPID docker.service")


def _settings(node: Node) -> dict[str, Any]:
    return dict(json.loads(node.shell(f"cat {DAEMON_JSON}")))


def _write(node: Node, more: dict[str, Any]) -> None:
    node.shell(WRITE.format(path=DAEMON_JSON, more=json.dumps(more)))


def _live_restore(node: Node) -> str:
    return node.shell("docker info -f '{{.LiveRestoreEnabled}}'")


@contextmanager
def _streaming(node: Node, seconds: int) -> Iterator[None]:
    """Hold that the engine neither ends nor stops answering in the block."""
    container = node.shell("docker inspect -f {{.Id}} stoker-main")
    with node.untouched():
        talk = node.talk(seconds * SECOND)
        yield
        assert node.chat().status == 200
        talk.ends_whole(seconds * SECOND)
    assert node.shell("docker inspect -f {{.Id}} stoker-main") == container


def test_gpus_come_into_the_engine_by_cdi_alone(node: Node) -> None:
    seen = json.loads(node.shell("docker inspect stoker-main"))[0]["HostConfig"]
    [request] = seen["DeviceRequests"]
    assert request["Driver"] == "cdi"
    uuids = {gpu_uuid(node.host, number) for number in range(node.gpus)}
    assert set(request["DeviceIDs"]) == {f"nvidia.com/gpu={uuid}" for uuid in uuids}
    assert (seen["Runtime"], seen["Privileged"]) == ("runc", False)


def test_daemon_reload_takes_no_gpu_from_an_engine(node: Node) -> None:
    opened = "docker exec stoker-main sh -c 'for d in /dev/nvidia0 /dev/nvidiactl; do : <$d; done'"
    with _streaming(node, 5):
        node.shell(opened)
        for _ in range(5):
            node.shell("systemctl daemon-reload")
        node.shell(opened)


def test_one_deploy_mends_docker_toolkit_and_specification_under_a_stream(node: Node) -> None:
    before, fresh = _dockerd(node), node.shell(f"cat {CDI}")
    downloads = _settings(node).get("max-concurrent-downloads", 3) + 1
    _write(node, FATAL)
    node.shell("systemctl reload docker.service")
    wait_for("no live-restore", lambda: _live_restore(node) == "false", 10)
    _write(node, LEGACY | {"max-concurrent-downloads": downloads})
    node.shell(MIX)
    assert len(node.shell(VERSIONS).splitlines()) == 2
    node.shell(f"sed -i s/{gpu_uuid(node.host, 1)}/GPU-of-another-time/ {CDI}")
    with _streaming(node, 60):
        run = _deploy(node)
        assert run.code == 0, run.output
        changed = [one.removesuffix(f" on {node.host}") for one in run.changed]
        assert [one for one in changed if one.startswith("runtime")] == [
            f"runtime | merge {DAEMON_JSON}",
            "runtime | keep running containers over a restart of Docker",
            "runtime | install and hold NVIDIA's container toolkit 1.20.1-1",
            "runtime | write the CDI specification",
            "runtime | run Docker with this",
        ]
    assert _dockerd(node) != before
    assert _settings(node)["max-concurrent-downloads"] == downloads
    assert "default-runtime" not in _settings(node)
    assert _live_restore(node) == "true"
    assert node.shell(VERSIONS) == "1.20.1-1 hold"
    assert node.shell(f"cat {CDI}") == fresh
    second = _deploy(node)
    assert (second.code, second.changed) == (0, []), second.output


def test_an_engine_whose_gpu_is_not_in_the_specification_says_so(node: Node) -> None:
    node.shell(f"sed -i s/{gpu_uuid(node.host, 0)}/GPU-of-another-time/ {CDI}")
    try:
        node.shell("stokerctl restart main --by tester --reason 'new specification'", check=False)
        report = wait_for("its report", lambda: _report(node, "CdiDeviceUnknown"), 30)
    finally:
        node.shell("systemctl restart nvidia-cdi-refresh.service")
    assert f"does not know nvidia.com/gpu={gpu_uuid(node.host, 0)}" in report
    assert "systemctl restart nvidia-cdi-refresh" in report


def _report(node: Node, reason: str) -> str:
    found = json.loads(node.shell("cat /var/lib/stoker/engines/main.exit.json"))
    return str(found["message"]) if found["reason"] == reason else ""
