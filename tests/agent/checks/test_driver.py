"""The driver itself: whether it answers, and what its files foretell."""

import pytest

from agent.checks.driver_answers import DriverAnswers
from agent.checks.driver_version import DriverVersion
from agent.model import Remedy, Status
from agent.sources import Reading
from agent.sources.gpu import NvmlReading
from agent.sources.host import HostReading
from agent.sources.nvml_health import DriverReading, Hung
from tests.agent.checks.boards import NO_GPU, SPEC, WELL, Round, gpu, poll

SILENT: Reading[NvmlReading] = Reading(None, "a driver call has not returned since 10:00:00", 1.0)
HUNG = DriverReading(hung=(Hung("00000000:01:00", 1.0, 2.0),), abandoned=1)


@pytest.mark.parametrize(
    ("polled", "health", "status", "reason"),
    [
        (poll(gpu()), DriverReading(), Status.OK, "Ok"),
        (poll(gpu()), HUNG, Status.FAIL, "DriverHung"),  # on one GPU; the others answer
        (SILENT, HUNG, Status.FAIL, "DriverHung"),
        (SILENT, DriverReading(), Status.UNKNOWN, "CannotLook"),  # the worker's own trouble
        (Reading(None, "still looking"), DriverReading(), Status.UNKNOWN, "CannotLook"),
        (NvmlReading(error=10, error_text="Timeout"), DriverReading(), Status.FAIL, "DriverHung"),
        (NvmlReading(error=18, error_text="x"), DriverReading(), Status.FAIL, "DriverMismatch"),
        (NvmlReading(error=9, error_text="x"), DriverReading(), Status.FAIL, "DriverBlind"),
        (NvmlReading(error=999, error_text="x"), DriverReading(), Status.FAIL, "DriverBlind"),
    ],
)
async def test_driver_answers(
    polled: Reading[NvmlReading] | NvmlReading, health: DriverReading, status: Status, reason: str
) -> None:
    check = DriverAnswers()
    (found,) = check.judge(await check.read(Round(nvml=polled, driver=health)), SPEC)
    assert (found.subject, found.status, found.reason) == ("node", status, reason)
    assert (found.remedy, found.fatal) == (Remedy.NONE, False)  # unknown restarts nothing
    assert bool(found.evidence) is (status is Status.FAIL)


async def test_no_driver_is_missed_where_no_gpu_is_wanted() -> None:
    check = DriverAnswers()
    assert check.judge(await check.read(Round(nvml=SILENT)), NO_GPU) == []


@pytest.mark.parametrize(
    ("loaded", "library", "status"),
    [
        ("595.91.07", "595.91.07", Status.OK),
        ("595.91.07", "595.99.01", Status.WARN),
        (None, "595.91.07", Status.OK),  # told by driver_answers
        ("595.91.07", None, Status.OK),
    ],
)
async def test_driver_version(loaded: str | None, library: str | None, status: Status) -> None:
    host = HostReading(driver_loaded=loaded, driver_library=library)
    check = DriverVersion()
    (found,) = check.judge(await check.read(Round(host=host)), SPEC)
    assert (found.subject, found.status, found.remedy) == ("node", status, Remedy.NONE)
    if status is Status.WARN:
        assert found.reason == "DriverMismatchAhead"
        assert "595.99.01" in found.message
        assert "595.91.07" in found.evidence
        assert check.judge(host, NO_GPU)[0].status is Status.OK


def test_a_well_host_has_one_version() -> None:
    assert DriverVersion().judge(WELL, SPEC)[0].status is Status.OK
