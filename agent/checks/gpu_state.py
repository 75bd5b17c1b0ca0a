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
        return [self._one(gpu) for gpu in reading.gpus]

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
