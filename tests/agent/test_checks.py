"""Each check's judgement, and the runner that outlives a broken check."""

import pytest

from agent import checks, conditions
from agent.checks.engine_answers import EngineAnswers
from agent.checks.gpu_count import GpuCount
from agent.checks.gpu_state import GpuState
from agent.errors import SourceError
from agent.model import CheckResult, Remedy, Status
from agent.sources import Reading, Sources
from agent.sources.engine import Answer
from agent.sources.nvml import Gpu, NvmlReading
from agent.spec import HostSpec
from tests.agent.fakes import FakeSource, gone, look, nvml

DATA = {
    "engine_image": "x@sha256:" + "a" * 64,
    "engine_model": "a/b",
    "engine_revision": "a" * 40,
}
SPEC = HostSpec.from_data("host", {**DATA, "driver_gpu_count": 2})
NO_GPU = HostSpec.from_data("host", {**DATA, "driver_gpu_count": 0, "engine_gpus": 0})


@pytest.mark.parametrize(
    ("reading", "status", "remedy"),
    [
        (look(), Status.OK, Remedy.NONE),
        (look(health=Answer.SLOW), Status.UNKNOWN, Remedy.NONE),
        (look(health=Answer.REFUSED), Status.FAIL, Remedy.RESTART),
        (look(health=Answer.BAD), Status.FAIL, Remedy.RESTART),
        (gone(), Status.UNKNOWN, Remedy.NONE),
        (None, Status.UNKNOWN, Remedy.NONE),
    ],
)
def test_engine_answers(reading: object, status: Status, remedy: Remedy) -> None:
    readings = {"main": Reading(reading, "systemd is silent")}
    found = EngineAnswers().judge(readings, SPEC)[0]  # type: ignore[arg-type]
    assert (found.subject, found.status, found.remedy) == ("engine:main", status, remedy)


@pytest.mark.parametrize(
    ("on_bus", "listed", "status"),
    [
        (2, 2, Status.OK),
        (1, 2, Status.FAIL),
        (2, 1, Status.FAIL),
        (1, None, Status.FAIL),
        (2, None, Status.UNKNOWN),
        (None, 2, Status.UNKNOWN),
        (None, None, Status.UNKNOWN),
        (3, 3, Status.OK),
    ],
)
def test_gpu_count(on_bus: int | None, listed: int | None, status: Status) -> None:
    assert GpuCount().judge((on_bus, listed), SPEC)[0].status is status


def test_gpu_count_does_not_mind_a_host_without_gpus() -> None:
    assert GpuCount().judge((None, None), NO_GPU)[0].status is Status.OK


@pytest.mark.parametrize(
    ("code", "status", "remedy"),
    [
        (None, Status.OK, Remedy.NONE),
        (15, Status.FAIL, Remedy.QUARANTINE),
        (16, Status.FAIL, Remedy.DRAIN),
        (999, Status.UNKNOWN, Remedy.NONE),
        (4, Status.UNKNOWN, Remedy.NONE),
    ],
)
def test_gpu_state(code: int | None, status: Status, remedy: Remedy) -> None:
    found = GpuState().judge(nvml(error=code, error_text="text"), SPEC)[0]
    assert (found.subject, found.status, found.remedy) == ("gpu:GPU-0", status, remedy)


def test_gpu_state_is_blind_when_the_driver_is_replaced() -> None:
    reading = NvmlReading(error=18, error_text="Driver/library version mismatch")
    assert GpuState().judge(reading, SPEC)[0].status is Status.UNKNOWN


LOST_AND_NAMELESS = (Gpu(index=0, error=15, error_text="lost"), Gpu(index=1, uuid="GPU-1"))


@pytest.mark.parametrize(
    ("reading", "kept"),
    [
        (nvml(1), "gpu:GPU-1"),  # not even listed any more
        (NvmlReading(gpus=LOST_AND_NAMELESS), "gpu:GPU-0"),
    ],
)
def test_a_gpu_that_does_not_tell_its_name_keeps_its_fault(reading: NvmlReading, kept: str) -> None:
    sick = nvml(2, error=16, error_text="reset required")
    streaks = conditions.update({}, GpuState().judge(sick, SPEC), 1, 1, 0.0)
    streaks = conditions.update(streaks, GpuState().judge(reading, SPEC), 1, 1, 1.0)
    assert kept in {c.subject for c in conditions.opened(streaks)}


def test_a_gpu_that_is_back_loses_its_fault() -> None:
    streaks: conditions.Streaks = {}
    for reading in (nvml(2, error=16), nvml(1), nvml(2)):
        streaks = conditions.update(streaks, GpuState().judge(reading, SPEC), 1, 1, 0.0)
    assert conditions.opened(streaks) == ()


async def test_gpu_count_reads_the_bus_and_the_driver() -> None:
    for reading, expected in (
        (nvml(2), (1, 2)),
        (NvmlReading(error=12, error_text="no library"), (1, None)),
        (SourceError("gone"), (1, None)),
    ):
        sources = Sources({}, FakeSource(reading), FakeSource(1))  # type: ignore[arg-type]
        await sources.refresh()
        assert await GpuCount().read(sources) == expected


async def test_gpu_state_cannot_judge_what_was_not_read() -> None:
    sources = Sources({}, FakeSource(SourceError("the driver hangs")), FakeSource(1))  # type: ignore[arg-type]
    await sources.refresh()
    (found,) = await checks.run(sources, SPEC, [GpuState()])
    assert (found.status, found.message) == (Status.UNKNOWN, "the driver hangs")


class Broken:
    """A check that fails in the way it is told."""

    name = "broken"

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def read(self, sources: Sources) -> None:
        raise self.error

    def judge(self, reading: None, spec: HostSpec) -> list[CheckResult]:
        return []


@pytest.mark.parametrize("error", [SourceError("gone"), ZeroDivisionError("bug"), TimeoutError()])
async def test_runner_turns_failures_into_unknown(error: Exception) -> None:
    sources = Sources({}, FakeSource(nvml(2)), FakeSource(2))  # type: ignore[arg-type]
    await sources.refresh()
    results = await checks.run(sources, SPEC, [Broken(error), GpuCount()])
    assert [(r.check, r.status) for r in results] == [
        ("broken", Status.UNKNOWN),
        ("gpu_count", Status.OK),
    ]
