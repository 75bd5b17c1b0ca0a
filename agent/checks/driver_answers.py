"""Does the driver answer at all?

A driver that does not answer shows nothing of its GPUs: that is not their fault, and engines may
go on well. So this finding is for a person, and asks for no remedy.
"""

from agent.checks.base import fail, ok, unknown
from agent.model import CheckResult, Value
from agent.sources import Reading, Sources
from agent.sources.gpu import NvmlReading
from agent.sources.nvml_health import DriverReading
from agent.spec import HostSpec

TOLD = {  # by NVML's code: TIMEOUT, LIB_RM_VERSION_MISMATCH
    10: ("DriverHung", "a call into the driver timed out"),
    18: (
        "DriverMismatch",
        "the driver's files were replaced under the loaded module: nothing new can use the GPUs "
        "until it is loaded anew (or the host rebooted); what runs goes on",
    ),
}


class Driver(Value, frozen=True, kw_only=True):
    """The latest poll, or why there is none, and what the calls of late have shown."""

    poll: Reading[NvmlReading]
    health: DriverReading


class DriverAnswers:
    """See the module."""

    name = "driver_answers"

    async def read(self, sources: Sources) -> Driver:
        """Take this round's look at the driver, also one that failed."""
        return Driver(poll=sources.nvml, health=sources.driver)

    def judge(self, reading: Driver, spec: HostSpec) -> list[CheckResult]:
        """Say in which way the driver fails to answer."""
        return [self._node(reading)] if spec.driver.gpu_count else []

    def _node(self, reading: Driver) -> CheckResult:
        health, poll = reading.health, reading.poll.value
        if health.hung:
            message = f"{'; '.join(map(str, health.hung))}; what runs on the GPUs may still be well"
            evidence = f"{health.abandoned} processes of ours are held by the driver"
            return fail(self.name, "node", "DriverHung", message, certain=True, evidence=evidence)
        if poll is None:
            return unknown(self.name, "node", reading.poll.problem or "not looked at yet")
        if poll.error is None:
            return ok(self.name, "node", "the driver answers")
        blind = ("DriverBlind", f"NVML shows no GPU: {poll.error_text}")
        reason, message = TOLD.get(poll.error, blind)
        evidence = f"NVML code {poll.error}: {poll.error_text}"
        return fail(self.name, "node", reason, message, evidence=evidence)
