"""What does the driver itself say that a GPU needs? It is obeyed, also when it says: nothing.

NVML field 230, NVML_FI_DEV_GET_GPU_RECOVERY_ACTION; its values are NVML_GPU_RECOVERY_ACTION_* of
nvml.h. Drivers and boards that have no such field are not judged by it.
"""

from agent.checks import gpu
from agent.checks.base import fail, ok, warn
from agent.model import CheckResult, Remedy
from agent.sources import Sources
from agent.sources.gpu import Gpu, NvmlReading
from agent.spec import HostSpec
from agent.xid.fault import Action

# Reason, remedy and what the driver asks for. A bus reset is a reset of one GPU by other means.
WANTED: dict[int, tuple[str, Remedy, str]] = {
    Action.GPU_RESET: ("DriverWantsReset", Remedy.RESET, "a reset of the GPU"),
    Action.NODE_REBOOT: ("DriverWantsReboot", Remedy.REBOOT, "a reboot of the host"),
    Action.DRAIN_AND_RESET: ("DriverWantsReset", Remedy.RESET, "a drain, then a reset of the GPU"),
    Action.BUS_RESET: ("DriverWantsReset", Remedy.RESET, "a reset of the GPU over its bus"),
    Action.SYSTEM_REBOOT: ("DriverWantsReboot", Remedy.REBOOT, "a reboot of the whole system"),
}


class GpuRecovery:
    """See the module."""

    name = "gpu_recovery"

    async def read(self, sources: Sources) -> NvmlReading:
        """Take this round's poll of the driver."""
        return sources.nvml.require()

    def judge(self, reading: NvmlReading, spec: HostSpec) -> list[CheckResult]:
        """Judge each GPU by itself."""
        return gpu.each(self.name, reading, spec, self._one)

    def _one(self, one: Gpu) -> CheckResult:
        subject, action = gpu.subject(one), one.recovery_action
        evidence = f"recovery action (field 230) is {action}"
        match action:
            case None:
                return ok(self.name, subject, "this driver has no word on recovery")
            case Action.NONE:
                return ok(self.name, subject, "the driver asks for nothing")
            case Action.DRAIN_P2P:
                # Only an engine on several GPUs has peers to talk to.
                subject = gpu.subject(one, "fabric")
                message = f"the driver asks for an end to peer-to-peer traffic (GPU {one.index})"
                return fail(
                    self.name,
                    subject,
                    "DriverWantsDrain",
                    message,
                    Remedy.DRAIN,
                    certain=True,
                    evidence=evidence,
                )
            case known if known in WANTED:
                reason, remedy, what = WANTED[known]
                message = f"the driver asks for {what} (GPU {one.index})"
                return fail(
                    self.name, subject, reason, message, remedy, certain=True, evidence=evidence
                )
            case Action.RECOVER_IMEX:
                # The domain spans hosts: nothing done on this one mends it.
                message = f"the driver asks to recover the IMEX domain (GPU {one.index})"
                return warn(self.name, subject, "ImexDomain", message, evidence=evidence)
            case _:
                message = f"the driver asks for something unknown to this release: {action}"
                return warn(self.name, subject, "UnknownRecovery", message, evidence=evidence)
