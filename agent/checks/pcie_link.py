"""Does each GPU have its full PCIe link, and does the link work without repeats?

The width must always be the most that board and slot allow. The generation drops while a GPU
idles, so it is judged under load only. Replays: the PCIe specification allows a bit error rate of
1e-12, which at the speed of the generation is so many a lane and minute (DCGM judges likewise).
"""

from agent.checks import gpu
from agent.checks.base import ok, warn
from agent.checks.trended import Trended, trended
from agent.checks.worst import worst
from agent.model import CheckResult
from agent.sources import Sources
from agent.sources.gpu import Gpu
from agent.spec import HostSpec

TRANSFERS = {1: 2.5e9, 2: 5e9, 3: 8e9, 4: 16e9, 5: 32e9, 6: 64e9}  # a second, a lane
ERROR_RATE = 1e-12
WINDOW = 300.0  # seconds: less would make single replays a rate


class PcieLink:
    """See the module."""

    name = "pcie_link"

    async def read(self, sources: Sources) -> Trended:
        """Take this round's poll of the driver, and how its counters have grown."""
        return trended(sources)

    def judge(self, reading: Trended, spec: HostSpec) -> list[CheckResult]:
        """Judge each GPU by itself."""

        def one(seen: Gpu) -> CheckResult:
            well = ok(self.name, gpu.subject(seen), "the PCIe link is as it should be")
            found = (self._width(seen), self._speed(seen), self._replays(seen, reading))
            return worst(filter(None, found), well)

        return gpu.each(self.name, reading.nvml, spec, one)

    def _width(self, seen: Gpu) -> CheckResult | None:
        width, most = seen.pcie_width, seen.pcie_width_max
        if not width or not most or width >= most:
            return None
        message = f"GPU {seen.index} has {width} of {most} PCIe lanes; reseat it, look at its riser"
        evidence = f"x{width} of x{most}"
        subject = gpu.subject(seen)
        return warn(
            self.name, subject, "PcieWidth", message, capacity=width / most, evidence=evidence
        )

    def _speed(self, seen: Gpu) -> CheckResult | None:
        now, most = seen.pcie_gen, seen.pcie_gen_max
        working = bool(seen.utilisation) or seen.performance_state == 0
        if not now or not most or now >= most or not working:
            return None
        message = f"GPU {seen.index} works at PCIe generation {now} instead of {most}"
        evidence = f"generation {now} of {most} at {seen.utilisation} % load"
        return warn(self.name, gpu.subject(seen), "PcieSpeed", message, evidence=evidence)

    def _replays(self, seen: Gpu, reading: Trended) -> CheckResult | None:
        grown = reading.grown(seen, "pcie_replays", seen.pcie_replays, WINDOW)
        allowed = _allowed(seen)
        if allowed is None or grown <= allowed * WINDOW / 60:
            return None
        message = f"GPU {seen.index} repeats much of its PCIe traffic; reseat it, look at its riser"
        evidence = f"{grown * 60 / WINDOW:.0f} replays a minute, {allowed:.0f} are allowed"
        return warn(self.name, gpu.subject(seen), "PcieReplays", message, evidence=evidence)


def _allowed(seen: Gpu) -> float | None:
    """Return replays a minute on all lanes; None when the link is not known."""
    speed = TRANSFERS.get(seen.pcie_gen_max or seen.pcie_gen or 0)
    if speed is None or not seen.pcie_width:
        return None
    return speed * ERROR_RATE * 60 * seen.pcie_width
