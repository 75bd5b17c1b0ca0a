"""Does the NVSwitch fabric join the GPUs? It matters to engines on several GPUs, and only to them.

On boards without NVSwitch nothing is judged. The driver's values: nvml.h, NVML_GPU_FABRIC_STATE_*
and NVML_GPU_FABRIC_HEALTH_MASK_*; the status counts only once the registration is complete, and an
"unknown error" in it is an error (aws/eks-node-monitoring-agent#141). With MIG on, no GPU talks to
another.
"""

from collections.abc import Iterator

from agent.checks import gpu
from agent.checks.base import fail, ok, unknown, warn
from agent.checks.worst import worst
from agent.model import CheckResult, Remedy, Value
from agent.sources import Sources
from agent.sources.gpu import Gpu, NvmlReading
from agent.sources.host import FABRIC_MANAGER, HostReading
from agent.spec import HostSpec

COMPLETED = 3
DOWN = frozenset({"failed", "inactive", ""})  # ActiveState; "" = no such unit


class Fabrics(Value, frozen=True, kw_only=True):
    """`host` is None while the host was not read."""

    nvml: NvmlReading
    host: HostReading | None


class Fabric:
    """See the module."""

    name = "fabric"

    async def read(self, sources: Sources) -> Fabrics:
        """Take what the driver tells of the fabric, and the host's of switches and units."""
        return Fabrics(nvml=sources.nvml.require(), host=sources.host.value)

    def judge(self, reading: Fabrics, spec: HostSpec) -> list[CheckResult]:
        """Judge each GPU's place in the fabric."""

        def one(seen: Gpu) -> CheckResult:
            subject = gpu.subject(seen, "fabric")
            well = ok(self.name, subject, "the fabric is well, or there is none")
            if seen.mig:
                return well
            if reading.host is None:
                well = unknown(self.name, subject, "the fabric manager's unit was not read")
                return worst(self._driver(seen), well)
            return worst([*self._manager(seen, reading.host), *self._driver(seen)], well)

        return gpu.each(self.name, reading.nvml, spec, one, "fabric")

    def _manager(self, seen: Gpu, host: HostReading) -> Iterator[CheckResult]:
        state = host.units.get(FABRIC_MANAGER)
        # A fabric without a switch on our bus may have its manager elsewhere.
        down = DOWN if host.nvswitches else frozenset({"failed"} if seen.fabric_state else ())
        if state in down:
            message = f"{FABRIC_MANAGER} does not run: GPUs cannot reach each other over NVSwitch"
            evidence = f"{FABRIC_MANAGER} is {state or 'not installed'}"
            yield self._fail(seen, "FabricManagerDown", message, evidence)

    def _driver(self, seen: Gpu) -> Iterator[CheckResult]:
        state, status, mask = seen.fabric_state, seen.fabric_status, seen.fabric_health or 0
        if not state:
            return
        evidence = f"fabric state {state}, status {status}, health {mask:#x}"
        if state < COMPLETED:
            # Nothing can be running over it yet, so there is nothing to drain.
            yield self._warn(seen, "FabricNotReady", "has not joined the fabric yet", evidence)
            return
        if status:
            message = f"GPU {seen.index} could not join the fabric: NVML code {status}"
            yield self._fail(seen, "FabricFault", message, evidence)
        if mask >> 4 & 3 == 1:
            message = f"GPU {seen.index} has an unhealthy route over the fabric"
            yield self._fail(seen, "FabricRouteUnhealthy", message, evidence)
        if mask >> 8 & 15 >= 2:
            message = f"GPU {seen.index} is configured wrongly for the fabric"
            yield self._fail(seen, "FabricMisconfigured", message, evidence)
        if mask & 3 == 1:
            yield self._warn(seen, "FabricDegraded", "has less than its bandwidth", evidence)
        if mask >> 2 & 3 == 1 or mask >> 6 & 3 == 1:
            yield self._warn(seen, "FabricRecovering", "recovers its routes", evidence)

    def _fail(self, seen: Gpu, reason: str, message: str, evidence: str) -> CheckResult:
        subject = gpu.subject(seen, "fabric")
        return fail(self.name, subject, reason, message, Remedy.DRAIN, evidence=evidence)

    def _warn(self, seen: Gpu, reason: str, what: str, evidence: str) -> CheckResult:
        message = f"GPU {seen.index} {what}"
        return warn(self.name, gpu.subject(seen, "fabric"), reason, message, evidence=evidence)
