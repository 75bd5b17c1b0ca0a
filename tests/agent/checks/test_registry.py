"""The registry, and the runner that outlives a broken check."""

from pathlib import Path

import msgspec
import pytest

from agent import checks
from agent.checks.clock import Clock
from agent.checks.gpu_count import GpuCount
from agent.errors import SourceError
from agent.model import CheckResult, Status
from agent.sources import Sources
from agent.sources.gpu import Gpu, NvmlReading
from agent.sources.host import HostReading
from agent.sources.kmsg import LogReading
from agent.spec import HostSpec
from tests.agent.checks.boards import BOARDS, EMPTY, NO_GPU, SPEC, WELL, Round, poll, spec


def test_each_check_is_called_after_its_file() -> None:
    assert [check.name for check in checks.CHECKS] == [
        line.partition(".")[0] for line in checks.REGISTRY
    ]
    files = {path.stem for path in Path(checks.__file__).parent.glob("*.py")}
    assert {check.name for check in checks.CHECKS} <= files


async def test_each_check_says_one_thing_of_each_subject() -> None:
    found = await everything(poll(*BOARDS.values()), spec(len(BOARDS)), WELL)
    assert len({(result.check, result.subject) for result in found}) == len(found)
    assert {result.check for result in found} <= {check.name for check in checks.CHECKS}


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
async def test_a_well_board_of_any_kind_is_well(board: Gpu) -> None:
    for reading in (poll(board), poll(board, board)):
        found = await everything(reading, spec(len(reading.gpus)), WELL)
        assert {result.status for result in found} == {Status.OK}
        assert {result.capacity for result in found} == {1.0}


BARE = [EMPTY, msgspec.structs.replace(EMPTY, uuid="")]


@pytest.mark.parametrize("board", BARE, ids=["named", "nameless"])
@pytest.mark.parametrize("host", [HostReading(), None], ids=["bare host", "no host"])
async def test_what_is_not_there_is_no_fault(board: Gpu, host: HostReading | None) -> None:
    found = await everything(poll(board), SPEC, host)
    assert {result.status for result in found} <= {Status.OK, Status.UNKNOWN}


FACTS = {f.name: f.default for f in msgspec.structs.fields(Gpu) if not f.required}
del FACTS["mig"]  # it excuses sleeping links, so it may not be missing where they sleep


@pytest.mark.parametrize("fact", FACTS)
async def test_no_single_thing_that_a_board_lacks_is_a_fault(fact: str) -> None:
    for board in BOARDS.values():
        lacking = msgspec.structs.replace(board, **{fact: FACTS[fact]})
        found = await everything(poll(lacking), SPEC, WELL)
        assert {result.status for result in found} <= {Status.OK, Status.UNKNOWN}


async def test_a_gpu_that_was_not_called_keeps_what_is_known_of_it() -> None:
    left_out = msgspec.structs.replace(EMPTY, error_text="not called: a call has not returned")
    found = await everything(poll(left_out), SPEC, WELL)
    about = {r.status for r in found if r.subject in {"gpu:GPU-0", "fabric:GPU-0"}}
    assert about == {Status.UNKNOWN}


async def test_a_host_that_is_to_have_no_gpu_is_well_without() -> None:
    found = await everything(NvmlReading(), NO_GPU, WELL)
    assert {result.status for result in found} == {Status.OK}


@pytest.mark.parametrize("name", [check.name for check in checks.CHECKS])
async def test_a_check_that_is_off_says_nothing(name: str) -> None:
    off = spec(1, check_off=(name,))
    found = await everything(poll(BOARDS["L4"]), off, WELL)
    assert name not in {result.check for result in found}
    assert {"gpu_state", "clock"} - {name} <= {result.check for result in found}


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
    sources = Round(nvml=poll(BOARDS["L4"]), pci=1)
    results = await checks.run(sources, SPEC, [Broken(error), GpuCount()])
    assert [(r.check, r.status) for r in results] == [
        ("broken", Status.UNKNOWN),
        ("gpu_count", Status.OK),
    ]


async def test_what_was_not_read_is_unknown_and_says_why() -> None:
    (found,) = await checks.run(Round(), SPEC, [Clock()])
    assert (found.status, found.message) == (Status.UNKNOWN, "nobody looked")


async def everything(
    reading: NvmlReading, wanted: HostSpec, host: HostReading | None
) -> list[CheckResult]:
    sources = Round(nvml=reading, pci=len(reading.gpus), host=host, log=LogReading(ok=True))
    return await checks.run(sources, wanted, checks.made())
