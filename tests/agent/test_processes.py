"""The processes of an engine, read off cgroup files: both layouts, and the real ones."""

import os
from pathlib import Path

import pytest

from agent import reports
from agent.paths import Paths
from agent.reports import Started
from agent.sources.processes import ProcessSource

PID = 4711
V2 = "0::/system.slice/docker-abc.scope\n"
V1 = "12:pids:/docker/abc\n11:memory:/docker/abc\n1:name=systemd:/docker/abc\n"


class Host:
    """A host with files of its own under `path`."""

    def __init__(self, path: Path) -> None:
        self.paths = Paths(etc=path, state=path, run=path / "run")
        self.proc, self.cgroups = path / "proc", path / "cgroups"

    def started(self, name: str, pid: int | None) -> None:
        report = Started(engine=name, digest="d", container="c", gpus=(), started=1.0, pid=pid)
        reports.write(self.paths.started(name), report)

    def member(self, pid: int, text: str) -> None:
        (self.proc / str(pid)).mkdir(parents=True)
        (self.proc / str(pid) / "cgroup").write_text(text)

    def group(self, path: str, *pids: int) -> None:
        directory = self.cgroups / path
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))

    async def read(self, *engines: str) -> dict[str, frozenset[int]]:
        return await ProcessSource(engines, self.paths, self.proc, self.cgroups).read()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize(
    ("text", "group"),
    [
        (V2, "system.slice/docker-abc.scope"),
        (V1, "pids/docker/abc"),
        (V1, "memory/docker/abc"),  # where only one controller is mounted there
        ("5:cpu,cpuacct:/docker/abc\n", "cpu,cpuacct/docker/abc"),
        ("1:name=systemd:/\n" + V2, "system.slice/docker-abc.scope"),
        ("0::/a:b.scope\n", "a:b.scope"),  # a path may have a colon
    ],
)
async def test_all_processes_of_the_container(host: Host, text: str, group: str) -> None:
    host.started("main", PID)
    host.member(PID, text)
    host.group(group, PID, 5000, 5001)
    assert await host.read("main") == {"main": frozenset({PID, 5000, 5001})}


async def test_the_root_is_nobodys_container(host: Host) -> None:
    host.started("main", PID)
    host.member(PID, "0::/\n")
    host.group("", 1, 2, PID)
    assert await host.read("main") == {}


async def test_engines_of_which_nothing_can_be_told_are_left_out(host: Host) -> None:
    host.started("two", PID)
    host.member(PID, V2)
    host.group("system.slice/docker-abc.scope", PID)
    host.started("old", None)  # of a runner that did not say
    host.started("gone", 4712)  # it has ended
    host.started("odd", 4713)
    host.member(4713, "nonsense\n")
    host.paths.started("garbled").write_text("{")
    found = await host.read("none", "two", "old", "gone", "odd", "garbled")
    assert found == {"two": frozenset({PID})}


OURS = Path("/proc/self/cgroup").read_text().splitlines()


@pytest.mark.skipif(all(one.endswith(":/") for one in OURS), reason="this process has no group")
async def test_the_real_files(host: Host) -> None:
    host.started("main", os.getpid())
    found = await ProcessSource(["main"], host.paths).read()
    if not found:
        pytest.skip("the group of this process lies outside of what is mounted here")
    assert os.getpid() in found["main"]
