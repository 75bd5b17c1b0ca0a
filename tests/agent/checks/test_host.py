"""The host beside its GPUs: disks, files, services, clock."""

import msgspec
import pytest

from agent.checks.clock import Clock
from agent.checks.disk import Disk as DiskCheck
from agent.checks.files import Files
from agent.checks.services import Services
from agent.model import Remedy, Status
from agent.sources.host import Disk, HostReading
from agent.spec import HostSpec
from tests.agent.checks.boards import NO_GPU, SPEC, WELL, Round, spec

OK, WARN = Status.OK, Status.WARN
GIB = 2**30


def disk(free: float = 100.0, *, path: str = "/var/lib/stoker", read_only: bool = False) -> Disk:
    return Disk(path=path, free=int(free * GIB), total=1000 * GIB, read_only=read_only)


@pytest.mark.parametrize(
    ("host", "status", "reason", "told"),
    [
        (HostReading(), OK, "Ok", ""),
        (HostReading(disks=(disk(),)), OK, "Ok", ""),
        (HostReading(disks=(disk(5.0),)), OK, "Ok", ""),
        (HostReading(disks=(disk(4.9),)), WARN, "DiskFull", "4.9 GiB"),
        (HostReading(disks=(disk(read_only=True),)), WARN, "DiskReadOnly", "/var/lib/stoker"),
        (HostReading(stuck=("/srv",)), WARN, "DiskHangs", "/srv"),
        (HostReading(disks=(disk(), disk(1.0, path="/srv"))), WARN, "DiskFull", "/srv"),
    ],
)
async def test_disk(host: HostReading, status: Status, reason: str, told: str) -> None:
    check = DiskCheck()
    (found,) = check.judge(await check.read(Round(host=host)), SPEC)
    assert (found.subject, found.status, found.reason) == ("node", status, reason)
    assert (found.remedy, found.capacity) == (Remedy.NONE, 1.0)
    assert told in found.message
    assert bool(found.evidence) is (status is WARN)


def test_all_disks_are_named_and_the_floor_is_the_operators() -> None:
    host = HostReading(disks=(disk(7.0, path="/a"), disk(8.0, path="/b")))
    assert DiskCheck().judge(host, SPEC)[0].status is OK
    (found,) = DiskCheck().judge(host, spec(1, check_disk_floor_gib=10))
    assert "/a" in found.message
    assert "/b" in found.message


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, "Ok"),
        ({"files_open": 90, "files_max": 100}, "Ok"),
        ({"files_open": 91, "files_max": 100}, "FilesExhausted"),
        ({"files_open": 91, "files_max": None}, "Ok"),
        ({"files_open": 91, "files_max": 0}, "Ok"),
        ({"shm_free": 10, "shm_total": 100}, "Ok"),
        ({"shm_free": 9, "shm_total": 100}, "SharedMemoryFull"),
        ({"shm_free": 0, "shm_total": 0}, "Ok"),  # not mounted
        ({"shm_free": 0, "shm_total": None}, "Ok"),
    ],
)
async def test_files(facts: dict[str, int | None], reason: str) -> None:
    check = Files()
    (found,) = check.judge(await check.read(Round(host=HostReading(**facts))), SPEC)  # type: ignore[arg-type]
    assert (found.subject, found.reason, found.remedy) == ("node", reason, Remedy.NONE)
    assert (found.status is WARN) is (reason != "Ok") is bool(found.evidence)


@pytest.mark.parametrize(
    ("unit", "state", "switches", "wanted", "status"),
    [
        ("docker.service", "active", 0, SPEC, OK),
        ("docker.service", "failed", 0, SPEC, WARN),
        ("docker.service", "inactive", 0, NO_GPU, WARN),
        ("docker.service", "", 0, SPEC, WARN),
        ("docker.service", "activating", 0, SPEC, OK),
        ("docker.service", "reloading", 0, SPEC, OK),
        ("containerd.service", "failed", 0, SPEC, WARN),
        ("containerd.service", "", 0, SPEC, OK),
        ("nvidia-persistenced.service", "inactive", 0, SPEC, WARN),
        ("nvidia-persistenced.service", "", 0, SPEC, WARN),
        ("nvidia-persistenced.service", "", 0, NO_GPU, OK),
        ("nvidia-fabricmanager.service", "inactive", 0, SPEC, OK),
        ("nvidia-fabricmanager.service", "inactive", 4, SPEC, WARN),
    ],
)
async def test_services(
    unit: str, state: str, switches: int, wanted: HostSpec, status: Status
) -> None:
    units = {**WELL.units, unit: state}
    host = msgspec.structs.replace(WELL, units=units, nvswitches=switches)
    check = Services()
    (found,) = check.judge(await check.read(Round(host=host)), wanted)
    assert (found.subject, found.status, found.remedy) == ("node", status, Remedy.NONE)
    if status is WARN:
        assert found.reason == "ServiceDown"
        assert unit in found.message
        assert (state or "not installed") in found.evidence


def test_services_that_systemd_did_not_tell_of_are_not_down() -> None:
    assert Services().judge(HostReading(), SPEC)[0].status is OK


@pytest.mark.parametrize(("word", "status"), [(True, OK), (False, WARN), (None, OK)])
async def test_clock(word: bool | None, status: Status) -> None:
    check = Clock()
    (found,) = check.judge(await check.read(Round(host=HostReading(clock_synchronised=word))), SPEC)
    assert (found.subject, found.status, found.remedy) == ("node", status, Remedy.NONE)
    assert (found.reason == "ClockUnsynchronised") is (status is WARN) is bool(found.evidence)
