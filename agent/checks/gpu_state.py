"""Does the driver still reach each GPU?

Codes 15 (GPU_IS_LOST) and 16 (RESET_REQUIRED) are verdicts; every other code means that we
cannot look, which is not a fault (gpu-health.md §3).
"""

from agent.checks.base import fail, ok, unknown
from agent.model import CheckResult, Remedy
from agent.sources import Sources
from agent.sources.nvml import Gpu, NvmlReading
from agent.spec import HostSpec


class GpuState:
    """See the module."""

    name = "gpu_state"

    async def read(self, sources: Sources) -> NvmlReading:
        """Take this round's poll of the driver."""
        return sources.nvml.require()

    def judge(self, reading: NvmlReading, spec: HostSpec) -> list[CheckResult]:
        """Judge each GPU by itself."""
        if spec.driver.gpu_count == 0:
            return []
        if reading.error is not None:
            return [unknown(self.name, "node", f"NVML: {reading.error_text}")]
        found = [self._one(gpu) for gpu in reading.gpus]
        named = sum(1 for gpu in reading.gpus if gpu.uuid)
        if named < spec.driver.gpu_count:
            # A GPU that does not tell its name, or is not even listed, may be the one that was
            # found faulty under its name: that it is not seen any more does not clear its fault.
            message = f"{named} of {spec.driver.gpu_count} GPUs tell their UUID"
            found.append(unknown(self.name, "node", message))
        return found

    def _one(self, gpu: Gpu) -> CheckResult:
        subject = f"gpu:{gpu.uuid or gpu.index}"
        match gpu.error:
            case None:
                return ok(self.name, subject, "the driver reaches the GPU")
            case 15:
                message = f"GPU {gpu.index} has fallen off the bus"
                return fail(self.name, subject, "GpuLost", message, Remedy.QUARANTINE, certain=True)
            case 16:
                message = f"GPU {gpu.index} must be reset before it can be used"
                return fail(
                    self.name, subject, "GpuResetRequired", message, Remedy.DRAIN, certain=True
                )
            case _:
                return unknown(self.name, subject, f"NVML: {gpu.error_text}")
