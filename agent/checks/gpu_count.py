"""Are all GPUs there? The operator's count, the bus and the driver must agree.

A GPU that is missing since boot is invisible to bus and driver alike; only the count that the
operator rented tells (aws/eks-node-monitoring-agent#121).
"""

from agent.checks.base import fail, ok, unknown
from agent.model import CheckResult
from agent.sources import Sources
from agent.spec import HostSpec


class GpuCount:
    """See the module."""

    name = "gpu_count"

    async def read(self, sources: Sources) -> tuple[int | None, int | None]:
        """Return GPUs on the bus and GPUs that the driver lists; None where not seen."""
        nvml = sources.nvml.value
        listed = None if nvml is None or nvml.error is not None else len(nvml.gpus)
        return sources.pci.value, listed

    def judge(self, reading: tuple[int | None, int | None], spec: HostSpec) -> list[CheckResult]:
        """Compare both counts with `driver_gpu_count`."""
        wanted = spec.driver.gpu_count
        on_bus, listed = reading
        if wanted == 0:
            return [ok(self.name, "node", "no GPU is wanted")]
        if on_bus is not None and on_bus < wanted:
            return [self._missing(f"{on_bus} of {wanted} GPUs are on the PCI bus")]
        if listed is not None and listed < wanted:
            return [self._missing(f"the driver lists {listed} of {wanted} GPUs")]
        if on_bus is None or listed is None:
            return [unknown(self.name, "node", "the bus or the driver cannot be read")]
        return [ok(self.name, "node", f"all {wanted} GPUs are there")]

    def _missing(self, message: str) -> CheckResult:
        # Which engine lost its GPU is told by gpu_state; here we only make it seen.
        return fail(self.name, "node", "GpuMissing", message)
