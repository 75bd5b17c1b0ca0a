"""The runner on a real dockerd, with a shell script for an engine. Needs busybox (static)."""

import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import msgspec
import pytest

from agent import reports
from agent.engines import ENGINES
from agent.outs import Placement
from agent.paths import Paths
from agent.reports import Exit, ExitClass, Started
from agent.runner import caches, network
from agent.runner.dockerd import DockerRefusedError
from agent.runner.inbox import QueueInbox
from agent.runner.refusals import meaning
from agent.runner.rendering import settings
from agent.runner.run import Run, World
from agent.runner.sdk import DockerSdk
from agent.runner.watch import follow
from tests.agent.docker_proxy import Proxy
from tests.agent.engines.examples import engine
from tests.agent.host_specs import host, put_weights

pytestmark = pytest.mark.e2e

NAME = "runner-test"
BUSYBOX = Path("/bin/busybox")
# What it does is told by its environment; `wait` lets the shell take signals at once.
SCRIPT = b"""#!/bin/sh
echo "weights: $(cat /model/model.safetensors)"
echo "rights: $(grep CapEff /proc/self/status | tr -d '\\t')"
touch /model/x 2>/dev/null && echo "weights are writable"
touch /x /etc/x /bin/x 2>/dev/null && echo "its own files are writable"
echo "user: $(id -u):$(id -g) in $PWD, $(grep NoNewPrivs /proc/self/status | tr -d '\\t')"
for d in /tmp /cache; do cp /bin/busybox $d/echo && $d/echo "runs what it made in $d"; done
echo to-stderr >&2
case $ACT in
  crash) echo "RuntimeError: NCCL error: x"; exit 1 ;;
  deaf) trap '' TERM ;;
  *) trap 'echo bye; exit 0' TERM ;;
esac
echo ready
while true; do sleep 1 & wait; done
"""


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The id of an image that is a shell and the script."""
    if not BUSYBOX.exists():
        pytest.skip("needs the package busybox-static")
    try:
        client = docker.from_env()
        client.ping()
    except docker.errors.DockerException:
        pytest.skip("needs a dockerd")
    files = {"bin/busybox": BUSYBOX.read_bytes(), "bin/engine": SCRIPT}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for name in ("sh", "cat", "grep", "tr", "touch", "sleep", "cp", "id"):
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    changes = ['ENTRYPOINT ["/bin/engine"]', "ENV PATH=/bin"]
    client.api.import_image_from_data(
        archive.getvalue(), repository="stoker-local/runner-test", tag="1", changes=changes
    )
    made = client.images.get("stoker-local/runner-test:1")
    yield str(made.id)
    client.images.remove("stoker-local/runner-test:1", force=True)


class Life:
    """One life of the script, in a thread."""

    def __init__(
        self, directory: Path, image: str, act: str, dockerd: DockerSdk | None = None
    ) -> None:
        self.dockerd = dockerd or DockerSdk()
        spec = engine("vllm", gpus=0, port=18999, shm_gib=1, environment={"ACT": act})
        self.spec = host(
            directory / "models",
            # vLLM's adapter adds 20 s: so 2 s from SIGTERM to SIGKILL.
            {NAME: msgspec.structs.replace(spec, image=image, drain_deadline=-18.0)},
        )
        put_weights(self.spec, NAME)
        self.paths = Paths(etc=directory, state=directory / "state", run=directory / "run")
        self.inbox = QueueInbox()
        self.ready = threading.Event()
        self.reports: list[Exit] = []
        self.lines: list[str] = []
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()

    def _live(self) -> None:
        world = World(
            paths=self.paths,
            dockerd=self.dockerd,
            gpus=lambda: (),
            outs=Placement,
            inbox=self.inbox,
            say=self._say,
            follow=lambda container, line: follow(self.dockerd, container, line, self.inbox.ended),
            cache=lambda image, user: caches.prepare(self.paths.caches(NAME), image, user),
        )
        self.reports.append(Run(NAME, self.spec, world).live())

    def _say(self, line: str) -> None:
        self.lines.append(line)
        if line == "ready":
            self.ready.set()

    def report(self) -> Exit:
        self.thread.join(40)
        assert not self.thread.is_alive()
        return self.reports[0]


def test_stops_gracefully_and_keeps_its_promises(tmp_path: Path, image: str) -> None:
    life = Life(tmp_path, image, "serve")
    assert life.ready.wait(120)
    started = reports.read(life.paths.started(NAME), Started)
    assert started
    seen = docker.from_env().api.inspect_container(started.container)
    assert seen["HostConfig"]["PortBindings"] == {
        "8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18999"}]
    }
    life.inbox.ask()
    report = life.report()
    assert (report.kind, report.reason, report.code) == (ExitClass.ASKED, "Asked", 0)
    assert report.lines[-1] == "bye"
    assert "weights: weights" in report.lines
    assert "to-stderr" in report.lines
    assert "rights: CapEff:0000000000000000" in report.lines
    assert "weights are writable" not in report.lines
    assert "its own files are writable" not in report.lines
    assert "user: 2000:0 in /cache, NoNewPrivs:1" in report.lines
    assert {"runs what it made in /tmp", "runs what it made in /cache"} <= set(report.lines)
    assert seen["HostConfig"]["NetworkMode"] == network.NAME
    [kept] = life.paths.caches(NAME).iterdir()
    assert (kept / "echo").exists()
    assert DockerSdk().state(started.container) is None


def test_tells_a_crash_by_its_marker(tmp_path: Path, image: str) -> None:
    report = Life(tmp_path, image, "crash").report()
    assert (report.kind, report.reason, report.code) == (ExitClass.GPU, "NcclError", 1)


def test_kills_what_does_not_stop(tmp_path: Path, image: str) -> None:
    life = Life(tmp_path, image, "deaf")
    assert life.ready.wait(120)
    life.inbox.ask()
    assert life.report().reason == "Killed"


def test_a_container_of_a_killed_runner_is_replaced(tmp_path: Path, image: str) -> None:
    first = Life(tmp_path / "first", image, "serve")
    assert first.ready.wait(120)
    dockerd = DockerSdk()
    assert dockerd.holdings()[NAME] == ()
    assert dockerd.processes(f"stoker-{NAME}")
    second = Life(tmp_path / "second", image, "serve")
    assert second.ready.wait(120)
    assert first.report().reason in {"Removed", "Killed"}  # as fast as it can look
    second.inbox.ask()
    assert second.report().reason == "Asked"


def test_a_dockerd_that_goes_away_and_comes_back_ends_nothing(tmp_path: Path, image: str) -> None:
    with Proxy(tmp_path / "docker.sock") as proxy:
        sdk = DockerSdk(lambda: docker.DockerClient(f"unix://{proxy.path}", timeout=10))
        life = Life(tmp_path, image, "serve", sdk)
        assert life.ready.wait(120)
        proxy.cut()
        life.inbox.ask()  # SIGTERM can only be delivered once dockerd is back
        while not any("not delivered" in line for line in life.lines):
            life.thread.join(0.05)
        assert life.thread.is_alive()
        proxy.mend()
        report = life.report()
    assert (report.reason, report.code) == ("Asked", 0)
    assert report.lines.count("ready") == 1
    assert report.lines[-1] == "bye"


def test_gpus_without_cdi_are_a_clear_sentence(tmp_path: Path, image: str) -> None:
    dockerd = DockerSdk()
    if docker.from_env().info().get("CDISpecDirs"):
        pytest.skip("this dockerd has CDI")
    spec = msgspec.structs.replace(engine("vllm", shm_gib=1, port=18999), image=image)
    container = ENGINES["vllm"].container(spec, str(tmp_path), ("GPU-1",))
    made = dockerd.create(settings(container, NAME, "0", ("GPU-1",), str(tmp_path)))
    try:
        with pytest.raises(DockerRefusedError) as refusal:
            dockerd.start(made)
        assert meaning(refusal.value).reason == "NoCdi"
    finally:
        assert dockerd.remove(f"stoker-{NAME}")
