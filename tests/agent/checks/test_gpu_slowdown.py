"""A GPU that its own hardware slows down: for long, and still."""

import pytest

from agent.checks.gpu_slowdown import GpuSlowdown
from agent.model import Remedy, Status
from tests.agent.checks.boards import Round, gpu, history, poll, spec

HEAT, BRAKE, SLOWDOWN, POWER_CAP, SOFT_HEAT = 0x40, 0x80, 0x8, 0x4, 0x20


def seconds(slow: int, of: int, last: int = 0, reasons: int = HEAT) -> list[int]:
    """Clock reasons of `of` polls, `slow` of them slow and before the `last` ones."""
    return [0] * (of - slow - last) + [reasons] * slow + [0] * last


@pytest.mark.parametrize(
    ("reasons", "status"),
    [
        (seconds(0, 300), Status.OK),
        (seconds(200, 300), Status.WARN),
        (seconds(200, 300, reasons=BRAKE), Status.WARN),
        (seconds(200, 300, reasons=SLOWDOWN), Status.WARN),
        (seconds(300, 300, reasons=POWER_CAP), Status.OK),  # works as meant
        (seconds(300, 300, reasons=SOFT_HEAT), Status.OK),
        (seconds(150, 300), Status.OK),  # half of the time is not enough
        (seconds(200, 300, last=1), Status.OK),  # it is over
        ([*seconds(200, 300), 0, HEAT, HEAT], Status.OK),  # two polls are not three
        (seconds(10, 10), Status.OK),  # not for long
    ],
)
async def test_gpu_slowdown(reasons: list[int], status: Status) -> None:
    polls = [poll(gpu(clock_reasons=bits, thermal_ns=None, brake_ns=None)) for bits in reasons]
    sources = Round(nvml=polls[-1], trends=history(*polls))
    (found,) = GpuSlowdown().judge(await GpuSlowdown().read(sources), spec())
    assert (found.subject, found.status) == ("gpu:GPU-0", status)
    assert (found.capacity, found.remedy) == (0.5 if status is Status.WARN else 1.0, Remedy.NONE)
    if status is Status.WARN:
        assert found.reason == "HardwareSlowdown"
        assert "66%" in found.message or "67%" in found.message
        assert "slowdown" in found.evidence or "brake" in found.evidence


async def test_the_share_is_the_operators() -> None:
    polls = [poll(gpu(clock_reasons=b, thermal_ns=None, brake_ns=None)) for b in seconds(150, 300)]
    sources = Round(nvml=polls[-1], trends=history(*polls))
    strict = spec(1, check_slowdown_share=0.4)
    (found,) = GpuSlowdown().judge(await GpuSlowdown().read(sources), strict)
    assert found.status is Status.WARN


async def test_slow_time_between_polls_is_told_by_the_counters() -> None:
    polls = [poll(gpu(clock_reasons=0, thermal_ns=n * 9 * 10**8)) for n in range(301)]
    sources = Round(nvml=polls[-1], trends=history(*polls))
    (found,) = GpuSlowdown().judge(await GpuSlowdown().read(sources), spec())
    assert (found.status, found.capacity) == (Status.WARN, 0.5)
    assert "counters" in found.evidence
