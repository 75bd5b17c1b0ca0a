"""What the GPUs' counters did of late: a bounded memory of polls, for checks that judge a rate.

Pure. A counter that fell was reset (driver loaded, GPU reset): a new epoch, never an error.
"""

from collections.abc import Mapping
from itertools import pairwise

import msgspec

from agent.sources.gpu import Gpu, NvmlReading

KEPT = 300.0  # seconds
MOST = 400  # samples a GPU, should polls come faster than once a second
# Bits of nvmlDeviceGetCurrentClocksEventReasons (nvml.h): hardware slowdown, heat, power brake.
SLOWED_BY_HARDWARE = 0x8 | 0x40 | 0x80
LONGEST_GAP = 5.0  # seconds that one sample can stand for

COUNTERS = (
    "ecc_uncorrected",
    "ecc_corrected",
    "pcie_replays",
    "thermal_ns",
    "brake_ns",
    "link_errors",  # of all links
)
_SLOWED_NS = (COUNTERS.index("thermal_ns"), COUNTERS.index("brake_ns"))


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One GPU in one poll. `slowed` by hardware right now; None = it does not tell."""

    at: float
    slowed: bool | None
    counters: tuple[int | None, ...]  # as COUNTERS


class Trends(msgspec.Struct, frozen=True):
    """The samples of each GPU by UUID, oldest first; `at` is the time of the last poll."""

    at: float = float("-inf")
    gpus: Mapping[str, tuple[Sample, ...]] = {}


def fold(trends: Trends, reading: NvmlReading, now: float) -> Trends:
    """Add one poll, taken at `now` (seconds of a clock that does not jump), and forget old ones.

    GPUs that could not be looked at, or have no name, leave a gap.
    """
    if now <= trends.at:
        return trends
    seen = {gpu.uuid: gpu for gpu in reading.gpus if gpu.uuid and gpu.error is None}
    gpus = {}
    for uuid in trends.gpus.keys() | seen.keys():
        samples = _recent(trends.gpus.get(uuid, ()), now)
        if uuid in seen:
            samples = (*samples, _sample(seen[uuid], now, samples))
        if samples:
            gpus[uuid] = samples
    return Trends(now, gpus)


def delta(trends: Trends, uuid: str, field: str, window: float) -> int | None:
    """Return how much a counter (one of COUNTERS) rose in the last `window` seconds.

    None if fewer than two polls of that time tell it. Never negative.
    """
    return _rise(_within(trends, uuid, window), COUNTERS.index(field))


def share(trends: Trends, uuid: str, window: float) -> float | None:
    """Return the share (0-1) of the last `window` seconds in which hardware slowed the GPU down.

    By the driver's nanosecond counters where there are any, else by the clock reasons of each poll.
    Time that was not looked at counts as not slowed. None if nothing tells.
    """
    samples = _within(trends, uuid, window)
    rises = [_rise(samples, counter) for counter in _SLOWED_NS]
    counted = [rise for rise in rises if rise is not None]
    if counted:
        return min(1.0, sum(counted) / 1e9 / window)
    told = [sample for sample in samples if sample.slowed is not None]
    if len(told) < 2:
        return None
    slowed = sum(_gap(a, b) for a, b in pairwise(told) if b.slowed)
    return min(1.0, slowed / window)


def in_a_row(trends: Trends, uuid: str, times: int = 3) -> bool:
    """Return whether hardware slowed the GPU down in each of the last `times` polls of it."""
    last = trends.gpus.get(uuid, ())[-times:]
    return len(last) == times and all(sample.slowed for sample in last)


def _sample(gpu: Gpu, now: float, before: tuple[Sample, ...]) -> Sample:
    errors = [link.errors for link in gpu.links if link.errors is not None]
    counters = (
        *(getattr(gpu, name) for name in COUNTERS[:-1]),
        sum(errors) if errors else None,
    )
    if before and before[-1].counters == counters:
        counters = before[-1].counters  # counters seldom move: keep them once
    return Sample(now, _slowed(gpu, counters, before), counters)


def _slowed(gpu: Gpu, counters: tuple[int | None, ...], before: tuple[Sample, ...]) -> bool | None:
    """Ask the clock reasons, and the counters: they also tell of what lay between two polls."""
    last = before[-1].counters if before else (None,) * len(COUNTERS)
    pairs = [(last[i], counters[i]) for i in _SLOWED_NS]
    rises = [new > old for old, new in pairs if old is not None and new is not None]
    if gpu.clock_reasons is not None:
        rises.append(bool(gpu.clock_reasons & SLOWED_BY_HARDWARE))
    return any(rises) if rises else None


def _recent(samples: tuple[Sample, ...], now: float) -> tuple[Sample, ...]:
    old = sum(1 for sample in samples if sample.at < now - KEPT)
    return samples[max(old, len(samples) - MOST + 1) :]


def _within(trends: Trends, uuid: str, window: float) -> tuple[Sample, ...]:
    return tuple(s for s in trends.gpus.get(uuid, ()) if s.at >= trends.at - window)


def _rise(samples: tuple[Sample, ...], counter: int) -> int | None:
    told = [value for s in samples if (value := s.counters[counter]) is not None]
    if len(told) < 2:
        return None
    return sum(max(0, new - old) for old, new in pairwise(told))


def _gap(one: Sample, other: Sample) -> float:
    return min(other.at - one.at, LONGEST_GAP)
