"""Do heat or power slow a GPU down, for long?

Only the hardware's own brakes count (nvml.h, nvmlClocksEventReasons): HW slowdown, HW thermal
slowdown and HW power brake. A GPU at its power cap, or in software thermal control, works as meant.
"""

from agent.checks import gpu
from agent.checks.base import ok, warn
from agent.checks.trended import Trended, trended
from agent.model import CheckResult
from agent.sources import Sources
from agent.sources.gpu import Gpu
from agent.spec import HostSpec
from agent.trends import in_a_row, share

BRAKES = {0x8: "hardware slowdown", 0x40: "hardware thermal slowdown", 0x80: "power brake"}
WINDOW = 300.0  # seconds
POLLS = 3  # consecutive, that must all be slow
CAPACITY = 0.5  # of the GPU while it is slowed down


class GpuSlowdown:
    """See the module."""

    name = "gpu_slowdown"

    async def read(self, sources: Sources) -> Trended:
        """Take this round's poll of the driver, and the slow time before it."""
        return trended(sources)

    def judge(self, reading: Trended, spec: HostSpec) -> list[CheckResult]:
        """Judge each GPU by itself: it is slow in the last polls, and was so mostly before."""

        def one(seen: Gpu) -> CheckResult:
            subject = gpu.subject(seen)
            now = in_a_row(reading.trends, seen.uuid, POLLS)
            slow = share(reading.trends, seen.uuid, WINDOW) if now else None  # it takes a while
            if slow is None or slow < spec.check.slowdown_share:
                return ok(self.name, subject, "nothing slows the GPU down for long")
            return warn(
                self.name,
                subject,
                "HardwareSlowdown",
                f"GPU {seen.index} has slowed itself down for {slow:.0%} of the last "
                f"{WINDOW / 60:.0f} min; look at its cooling and its power supply",
                capacity=CAPACITY,
                evidence=_evidence(seen),
            )

        return gpu.each(self.name, reading.nvml, spec, one)


def _evidence(seen: Gpu) -> str:
    brakes = [name for bit, name in BRAKES.items() if (seen.clock_reasons or 0) & bit]
    heat = "" if seen.temperature is None else f" at {seen.temperature} °C"
    return (" and ".join(brakes) or "the driver's counters of slow time rise") + heat
