"""Does the driver still reach each GPU?

NVML's codes 15 (GPU_IS_LOST) and 16 (RESET_REQUIRED) are verdicts; every other code means that we
could not look, which is not a fault (nvml.h).
"""

from agent.checks import gpu
from agent.checks.base import fail, ok, unknown
from agent.model import CheckResult, Remedy
from agent.sources import Sources
from agent.sources.gpu import Gpu, NvmlReading
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
        return [*map(self._one, reading.gpus), *gpu.nameless(self.name, reading, spec)]

    def _one(self, one: Gpu) -> CheckResult:
        subject = gpu.subject(one)
        evidence = f"NVML code {one.error}: {one.error_text}"
        match one.error:
            case None if not gpu.unread(one):
                return ok(self.name, subject, "the driver reaches the GPU")
            case 15:
                return fail(
                    self.name,
                    subject,
                    "GpuLost",
                    f"GPU {one.index} has fallen off the bus; only a boot brings it back",
                    Remedy.REBOOT,
                    certain=True,
                    fatal=True,
                    evidence=evidence,
                )
            case 16:
                return fail(
                    self.name,
                    subject,
                    "GpuResetRequired",
                    f"GPU {one.index} must be reset before it can be used",
                    Remedy.RESET,
                    certain=True,
                    evidence=evidence,
                )
            case _:
                return unknown(self.name, subject, f"GPU {one.index}: {one.error_text}")
