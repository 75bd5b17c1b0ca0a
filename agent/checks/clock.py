"""Is the clock right? Certificates, logs and budgets rest on it."""

from agent.checks.base import ok, warn
from agent.model import CheckResult
from agent.sources import Sources
from agent.sources.host import HostReading
from agent.spec import HostSpec


class Clock:
    """See the module."""

    name = "clock"

    async def read(self, sources: Sources) -> HostReading:
        """Take the host's latest facts."""
        return sources.host.require()

    def judge(self, reading: HostReading, spec: HostSpec) -> list[CheckResult]:  # noqa: ARG002
        """Say whether the kernel calls its clock synchronised; where it does not tell, it is ok."""
        if reading.clock_synchronised is not False:
            return [ok(self.name, "node", "the clock is synchronised, as far as it tells")]
        message = "the clock is not synchronised: look at chrony or systemd-timesyncd"
        evidence = "the kernel calls its clock unsynchronised"
        return [warn(self.name, "node", "ClockUnsynchronised", message, evidence=evidence)]
