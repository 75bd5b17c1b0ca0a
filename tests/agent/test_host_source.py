"""The host source against real files, real mounts' words, and disks that hang."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import SourceError
from agent.sources.aside import Aside
from agent.sources.host import DOCKER, FABRIC_MANAGER, UNITS, HostReading, HostSource
from agent.sources.host_files import HERE, Roots, read_only

HANG = 3600.0


class FakeUnits:
    """systemd that knows these units, and no others; a float is how long it is silent."""

    def __init__(self, **states: str | float | Exception) -> None:
        self.states = {f"{name}.service": state for name, state in states.items()}
        self.asked = 0

    async def active(self, unit: str) -> str:
        self.asked += 1
        state = self.states.get(unit, "")
        if isinstance(state, Exception):
            raise state
        if isinstance(state, float):
            await asyncio.sleep(state)
            return "active"
        return state


class FakeClockState:
    def __init__(self, word: bool | float | Exception) -> None:
        self.word = word

    async def synchronised(self) -> bool:
        if isinstance(self.word, Exception):
            raise self.word
        if isinstance(self.word, float):
            await asyncio.sleep(self.word)
        return bool(self.word)


class Host:
    """A host made of files."""

    def __init__(self, root: Path) -> None:
        self.root, self.now = root, 0.0
        self.units, self.clock = FakeUnits(docker="active"), FakeClockState(True)
        self.roots = Roots(
            proc=root / "proc",
            sys=root / "sys",
            shm=root,
            libraries=(root / "lib64", root / "lib"),
        )
        self.write("proc/sys/fs/file-nr", "1312\t0\t9223372036854775807\n")
        self.write("proc/self/mountinfo", "22 1 8:1 / / ro,relatime shared:1 - ext4 /dev/sda1 rw\n")
        self.write("sys/module/nvidia/version", "595.91.07\n")

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def device(self, name: str, vendor: str, kind: str) -> None:
        self.write(f"sys/bus/pci/devices/{name}/vendor", f"{vendor}\n")
        self.write(f"sys/bus/pci/devices/{name}/class", f"{kind}\n")

    def source(self, *disks: str, deadline: float = 5.0, every: float = 10.0) -> HostSource:
        return HostSource(
            disks,
            self.units,
            self.clock,
            self.roots,
            every=every,
            deadline=deadline,
            now=lambda: self.now,
        )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


async def test_reads_what_the_files_tell(host: Host) -> None:
    library = host.write("lib/libnvidia-ml.so.595.99.01", "")
    (host.root / "lib/libnvidia-ml.so.1").symlink_to(library.name)
    host.device("0000:01:00.0", "0x10de", "0x030200")  # a GPU
    host.device("0000:02:00.0", "0x10de", "0x068000")  # a switch
    host.device("0000:03:00.0", "0x10de", "0x068000")
    host.device("0000:04:00.0", "0x8086", "0x068000")  # somebody else's bridge
    (host.root / "sys/bus/pci/devices/0000:05:00.0").mkdir()  # going away
    seen = await host.source(str(host.root), str(host.root / "not there")).read()
    assert (seen.files_open, seen.files_max) == (1312, 9223372036854775807)
    assert (seen.driver_loaded, seen.driver_library) == ("595.91.07", "595.99.01")
    assert seen.nvswitches == 2
    (disk,) = seen.disks
    real = os.statvfs(host.root)
    assert (disk.path, disk.total) == (str(host.root), real.f_blocks * real.f_frsize)
    assert disk.free == pytest.approx(real.f_bavail * real.f_frsize, rel=0.1)
    assert (disk.read_only, seen.stuck) == (False, ())
    assert seen.shm_total == disk.total


async def test_what_a_host_lacks_is_not_told(tmp_path: Path) -> None:
    bare = Roots(proc=tmp_path / "a", sys=tmp_path / "b", shm=tmp_path / "c", libraries=())
    clock, units = FakeClockState(SourceError("nobody knows")), FakeUnits()
    seen = await HostSource((str(tmp_path),), units, clock, bare).read()
    nothing = HostReading(units=dict.fromkeys(UNITS, ""))
    assert seen == nothing  # not even the disk: whether it takes writes cannot be told


@pytest.mark.parametrize("name", ["libnvidia-ml.so.1", "libnvidia-ml.so.1.sim"])
async def test_a_library_without_a_version_in_its_name_tells_none(host: Host, name: str) -> None:
    host.write(f"lib/{name}", "")
    if name != "libnvidia-ml.so.1":
        (host.root / "lib/libnvidia-ml.so.1").symlink_to(name)
    assert (await host.source().read()).driver_library is None


MOUNTS = """\
22 1 8:1 / / ro,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 22 8:2 / /var ro - ext4 /dev/sda2 ro,errors=remount-ro
31 30 0:44 / /var/lib/models rw,nosuid shared:9 master:2 - nfs4 nas:/m rw,vers=4.2
32 22 8:3 / /srv rw - xfs /dev/sdb1 rw
33 32 8:4 / /srv ro - xfs /dev/sdc1 ro
34 22 8:5 / /srv2 ro - overlay overlay rw,lowerdir=/ro:/rom
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", False),  # the mount is read-only, as ProtectSystem shows it; the file system is not
        ("/home/x", False),
        ("/var", True),
        ("/var/lib", True),
        ("/var/lib/models", False),
        ("/var/lib/models/a/b", False),
        ("/variable", False),
        ("/srv/x", True),  # the later mount lies on top
        ("/srv2", False),
    ],
)
def test_read_only_is_said_of_the_file_system(host: Host, path: str, expected: bool) -> None:
    host.write("proc/self/mountinfo", MOUNTS)
    assert read_only(path, host.roots) is expected


async def test_a_disk_that_was_remounted_read_only_is_told(host: Host) -> None:
    host.write("proc/self/mountinfo", "22 1 8:1 / / ro - ext4 /dev/sda1 ro,errors=remount-ro\n")
    (disk,) = (await host.source(str(host.root)).read()).disks
    assert disk.read_only


async def test_units_and_clock(host: Host) -> None:
    host.units = FakeUnits(docker="failed", containerd=SourceError("systemd is silent"))
    host.clock = FakeClockState(False)
    seen = await host.source().read()
    assert seen.units[DOCKER] == "failed"
    assert "containerd.service" not in seen.units  # unknown, not absent
    assert seen.units[FABRIC_MANAGER] == ""
    assert seen.clock_synchronised is False


async def test_a_silent_bus_costs_the_deadline_and_nothing_else(host: Host) -> None:
    host.units, host.clock = FakeUnits(docker=HANG), FakeClockState(HANG)
    began = time.monotonic()
    seen = await host.source(deadline=0.2).read()
    assert time.monotonic() - began < 2.0
    assert (DOCKER in seen.units, seen.clock_synchronised) == (False, None)
    assert seen.driver_loaded == "595.91.07"


async def test_looks_again_only_when_it_is_time(host: Host) -> None:
    source = host.source(every=10.0)
    first = await source.read()
    host.write("sys/module/nvidia/version", "600.1\n")
    host.now = 9.9
    assert await source.read() is first
    host.now = 10.0
    assert (await source.read()).driver_loaded == "600.1"


async def test_a_file_system_that_hangs_is_told_and_holds_nobody_up(host: Host) -> None:
    """A FIFO in place of the mount table hangs whoever reads it, as a dead network mount does."""
    table = host.root / "proc/self/mountinfo"
    words = table.read_text()
    table.unlink()
    os.mkfifo(table)
    source = host.source(str(host.root), deadline=0.2, every=0.0)
    seen = await source.read()
    assert (seen.stuck, seen.disks) == ((str(host.root),), ())
    assert seen.driver_loaded == "595.91.07"
    for _ in range(3):
        began = time.monotonic()
        assert (await source.read()).stuck == (str(host.root),)
        assert time.monotonic() - began < 0.15  # not waited for again
    assert threads(str(host.root)) == 1  # however often it is asked
    await asyncio.to_thread(table.write_text, words)  # it answers again
    for _ in range(100):
        if (await source.read()).disks:
            break
        await asyncio.sleep(0.01)
    assert threads(str(host.root)) == 0


def threads(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


async def test_facts_that_hang_are_unknown(host: Host) -> None:
    version = host.root / "sys/module/nvidia/version"
    version.unlink()
    os.mkfifo(version)
    with pytest.raises(SourceError, match="hangs"):
        await host.source(deadline=0.2).read()
    await asyncio.to_thread(version.write_text, "595.91.07\n")


async def test_aside_hands_on_results_and_errors() -> None:
    aside = Aside()
    assert await aside.call("a", lambda: 7, 5.0) == 7
    with pytest.raises(FileNotFoundError):
        await aside.call("a", lambda: Path("/not/there").read_text(), 5.0)
    assert await aside.call("a", lambda: 8, 5.0) == 8


async def test_aside_keeps_calls_apart_and_gives_late_results_later() -> None:
    aside, go = Aside(), threading.Event()

    def waits() -> str:
        go.wait(10)
        return "late"

    with pytest.raises(TimeoutError):
        await aside.call("slow", waits, 0.05)
    assert await aside.call("quick", lambda: "now", 5.0) == "now"
    with pytest.raises(TimeoutError):
        await aside.call("slow", lambda: "never made", 5.0)
    go.set()
    assert await _until(lambda: aside.call("slow", lambda: "too early", 0.0)) == "late"


async def _until(ask: Callable[[], object]) -> object:
    for _ in range(200):
        try:
            return await ask()  # type: ignore[misc]
        except TimeoutError:
            await asyncio.sleep(0.01)
    raise AssertionError("it never came")


def test_a_process_ends_though_a_call_hangs() -> None:
    program = (
        "import asyncio, time\n"
        "from agent.sources.aside import Aside\n"
        "async def main():\n"
        "    try:\n"
        "        await Aside().call('x', lambda: time.sleep(3600), 0.1)\n"
        "    except TimeoutError:\n"
        "        print('gave up')\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "gave up\n"


async def test_this_very_host_can_be_read() -> None:
    seen = await HostSource(("/", "/tmp"), FakeUnits(), FakeClockState(True), HERE).read()
    assert {disk.path for disk in seen.disks} == {"/", "/tmp"}
    assert all(0 <= disk.free <= disk.total for disk in seen.disks)
    assert seen.files_open
    assert seen.files_max
