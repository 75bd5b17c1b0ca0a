"""Memory faults: repairs that wait, repairs that failed, and errors that are new."""

import pytest

from agent.checks.gpu_memory import GpuMemory
from agent.model import Remedy, Status
from agent.sources.gpu import Gpu
from tests.agent.checks.boards import CONSUMER, L4, SPEC, V100, Round, gpu, history, poll, said


@pytest.mark.parametrize(
    ("sick", "status", "reason", "remedy"),
    [
        (gpu(L4), Status.OK, "Ok", Remedy.NONE),
        (gpu(CONSUMER), Status.OK, "Ok", Remedy.NONE),
        (gpu(V100), Status.OK, "Ok", Remedy.NONE),
        (gpu(L4, remap_pending=True), Status.WARN, "RowRemapPending", Remedy.NONE),
        (gpu(L4, remap_failed=True), Status.FAIL, "RowRemapFailed", Remedy.DRAIN),
        (gpu(L4, sram_threshold=True), Status.WARN, "SramErrors", Remedy.NONE),
        (gpu(V100, retired_pending=True), Status.WARN, "PageRetirement", Remedy.NONE),
        (gpu(L4, remap_pending=True, remap_failed=True), Status.FAIL, "RowRemapFailed", None),
        (gpu(L4, ecc_uncorrected=7), Status.OK, "Ok", Remedy.NONE),  # of old
    ],
)
async def test_gpu_memory(sick: Gpu, status: Status, reason: str, remedy: Remedy | None) -> None:
    check = GpuMemory()
    found = said(check.judge(await check.read(Round(nvml=poll(sick))), SPEC), "gpu:GPU-0")
    assert (found.status, found.reason) == (status, reason)
    assert remedy is None or found.remedy is remedy
    assert (found.fatal, found.capacity) == (False, 1.0)
    assert bool(found.evidence) is (status is not Status.OK)


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ((0, 0, 0), Status.OK),
        ((0, 1, 1), Status.WARN),
        ((5, 0, 0), Status.OK),  # the GPU was reset
        ((5, 0, 1), Status.WARN),
        ((None, None), Status.OK),
    ],
)
async def test_uncorrectable_errors_count_while_they_are_new(
    counts: tuple[int | None, ...], status: Status
) -> None:
    polls = [poll(gpu(ecc_uncorrected=count)) for count in counts]
    sources = Round(nvml=polls[-1], trends=history(*polls))
    (found,) = GpuMemory().judge(await GpuMemory().read(sources), SPEC)
    assert found.status is status
    if status is Status.WARN:
        assert (found.reason, found.remedy) == ("EccUncorrected", Remedy.NONE)
        later = [*polls, *([polls[-1]] * 4)]
        sources = Round(nvml=polls[-1], trends=history(*later, every=90.0))
        assert GpuMemory().judge(await GpuMemory().read(sources), SPEC)[0].status is Status.OK


async def test_all_that_was_found_is_said_in_one_result() -> None:
    sick = gpu(remap_pending=True, remap_failed=True, sram_threshold=True)
    (found,) = GpuMemory().judge(await GpuMemory().read(Round(nvml=poll(sick))), SPEC)
    assert "spare row" in found.message
    assert "SRAM" in found.message
    assert "remapping pending" in found.evidence
