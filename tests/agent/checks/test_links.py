"""What joins a GPU to the host and to other GPUs: PCIe and NVLink."""

import pytest

from agent.checks.nvlink import Nvlink
from agent.checks.pcie_link import PcieLink
from agent.model import CheckResult, Remedy, Status
from agent.sources.gpu import Gpu, NvmlReading
from tests.agent.checks.boards import (
    A100_SXM,
    CONSUMER,
    H100_PCIE,
    H100_SXM,
    L4,
    MIG_PARENT,
    V100,
    Round,
    gpu,
    history,
    links,
    poll,
    said,
    spec,
)

OK, WARN, FAIL = Status.OK, Status.WARN, Status.FAIL


@pytest.mark.parametrize(
    ("seen", "status", "reason", "capacity"),
    [
        (gpu(L4), OK, "Ok", 1.0),  # generation 1 of 4, but it idles
        (gpu(L4, pcie_width=8), WARN, "PcieWidth", 0.5),
        (gpu(L4, pcie_width=4, pcie_width_max=None), OK, "Ok", 1.0),
        (gpu(L4, pcie_width=8, pcie_width_max=8), OK, "Ok", 1.0),  # the slot has no more
        (gpu(L4, utilisation=90), WARN, "PcieSpeed", 1.0),
        (gpu(L4, performance_state=0), WARN, "PcieSpeed", 1.0),
        (gpu(L4, utilisation=90, pcie_gen=4), OK, "Ok", 1.0),
        (gpu(L4, utilisation=None, performance_state=None), OK, "Ok", 1.0),
        (gpu(H100_SXM, pcie_width=0), OK, "Ok", 1.0),  # no PCIe link in use
        (gpu(L4, pcie_width=8, utilisation=90), WARN, "PcieWidth", 0.5),
    ],
)
async def test_pcie_link(seen: Gpu, status: Status, reason: str, capacity: float) -> None:
    check = PcieLink()
    (found,) = check.judge(await check.read(Round(nvml=poll(seen))), spec())
    assert (found.subject, found.status, found.reason) == ("gpu:GPU-0", status, reason)
    assert (found.capacity, found.remedy, found.fatal) == (capacity, Remedy.NONE, False)
    assert bool(found.evidence) is (status is not OK)


@pytest.mark.parametrize(
    ("board", "a_minute", "status"),
    [
        (A100_SXM, 14, OK),  # 16 lanes of generation 4: 15.4 a minute
        (A100_SXM, 17, WARN),
        (H100_SXM, 30, OK),  # of generation 5: 30.7
        (H100_SXM, 32, WARN),
        (V100, 7, OK),  # of generation 3: 7.7, which DCGM rounds to 8
        (V100, 9, WARN),
        (gpu(A100_SXM, pcie_width=8, pcie_width_max=8), 9, WARN),
        (gpu(A100_SXM, pcie_width=None), 1000, OK),  # rates of an unknown link mean nothing
        (gpu(A100_SXM, pcie_gen=None, pcie_gen_max=None), 1000, OK),
    ],
)
async def test_replays_are_judged_by_rate(board: Gpu, a_minute: int, status: Status) -> None:
    polls = [poll(gpu(board, pcie_replays=1000 + n * a_minute)) for n in range(6)]
    sources = Round(nvml=polls[-1], trends=history(*polls, every=60.0))
    (found,) = PcieLink().judge(await PcieLink().read(sources), spec())
    assert (found.status, found.capacity) == (status, 1.0)
    if status is WARN:
        assert (found.reason, found.remedy) == ("PcieReplays", Remedy.NONE)
        assert str(a_minute) in found.evidence


async def rounds(*polls: NvmlReading) -> list[CheckResult]:
    """Let one check see these polls, and return what it says of the last."""
    check = Nvlink()
    for seen in polls:
        reading = await check.read(Round(nvml=seen))
    return check.judge(reading, spec(len(polls[-1].gpus)))


@pytest.mark.parametrize(
    ("before", "now", "status"),
    [
        (H100_SXM, H100_SXM, OK),
        (H100_SXM, gpu(H100_SXM, links=links(17, 1)), FAIL),
        (H100_SXM, gpu(H100_SXM, links=links(0, 18)), FAIL),
        (gpu(H100_SXM, links=links(17, 1)), H100_SXM, OK),
        (A100_SXM, gpu(A100_SXM, links=links(11, 1)), FAIL),
        (H100_PCIE, H100_PCIE, OK),  # without a bridge
        (gpu(H100_PCIE, links=links(12, 6)), gpu(H100_PCIE, links=links(12, 6)), OK),  # wired so
        (CONSUMER, CONSUMER, OK),
        (L4, L4, OK),
        (MIG_PARENT, MIG_PARENT, OK),
        (H100_SXM, MIG_PARENT, OK),  # cut up meanwhile: links sleep
    ],
)
async def test_nvlink(before: Gpu, now: Gpu, status: Status) -> None:
    (found,) = await rounds(poll(before), poll(now))
    assert (found.subject, found.status, found.fatal) == ("fabric:GPU-0", status, False)
    if status is FAIL:
        assert (found.reason, found.remedy) == ("NvlinkDown", Remedy.DRAIN)
        assert "down: " in found.evidence


async def test_behind_a_switch_a_gpu_has_the_links_of_its_peers() -> None:
    lame = gpu(H100_SXM, links=links(16, 2))
    found = await rounds(poll(H100_SXM, lame))
    assert said(found, "fabric:GPU-0").status is OK
    assert said(found, "fabric:GPU-1").reason == "NvlinkDown"
    assert "16 of 18" in said(found, "fabric:GPU-1").evidence


async def test_without_a_switch_each_gpu_has_a_bridge_or_none() -> None:
    bridged = gpu(H100_PCIE, links=links(18))
    assert {r.status for r in await rounds(poll(bridged, bridged, H100_PCIE))} == {OK}


@pytest.mark.parametrize(("a_second", "status"), [(0, OK), (99, OK), (110, WARN)])
async def test_errors_of_links_are_judged_by_rate(a_second: int, status: Status) -> None:
    every = [links(18, errors=n * 10 * a_second) for n in range(7)]
    polls = [poll(gpu(H100_SXM, links=(*links(17), bad[17]))) for bad in every]
    sources = Round(nvml=polls[-1], trends=history(*polls, every=10.0))
    check = Nvlink()
    (found,) = check.judge(await check.read(sources), spec())
    assert (found.subject, found.status, found.remedy) == ("fabric:GPU-0", status, Remedy.NONE)
    assert (found.reason == "NvlinkErrors") is (status is WARN)
