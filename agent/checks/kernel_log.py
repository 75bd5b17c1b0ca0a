"""Can the kernel's log be read, and all of it? Faults of GPUs are told there first."""

from agent.checks.base import ok, unknown, warn
from agent.model import CheckResult
from agent.sources import Reading, Sources
from agent.sources.kmsg import LogReading
from agent.spec import HostSpec

WINDOW = 600.0  # seconds


class KernelLog:
    """See the module."""

    name = "kernel_log"

    async def read(self, sources: Sources) -> Reading[LogReading]:
        """Take how the log stands; `SourceError`, so UNKNOWN, while it cannot be read."""
        sources.log.require()
        return sources.log

    def judge(self, reading: Reading[LogReading], spec: HostSpec) -> list[CheckResult]:  # noqa: ARG002
        """Tell of records that were lost; what they told is found by polls, a little later."""
        log = reading.value
        if log is None:
            return [unknown(self.name, "node", reading.problem)]
        if log.lost_at is not None and log.lost_at > reading.at - WINDOW:
            message = "records of the kernel log were overwritten before they were read"
            evidence = f"{log.gaps} gaps since the agent began to read"
            return [warn(self.name, "node", "KernelLogGap", message, evidence=evidence)]
        if not log.ok:
            return [unknown(self.name, "node", "the kernel log is not read to its end yet")]
        return [ok(self.name, "node", "the kernel log is read")]
