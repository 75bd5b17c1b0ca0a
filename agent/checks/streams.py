"""Does an engine break off its answers? Only the gateway sees it: clients take them for whole."""

from agent.checks.base import ok, warn
from agent.gateway_books import Ends
from agent.model import CheckResult
from agent.sources import Sources
from agent.sources.gateway import GatewayReading
from agent.spec import HostSpec

LEAST = 3  # broken streams; one or two are no share of anything


class Streams:
    """See the module."""

    name = "streams"

    async def read(self, sources: Sources) -> GatewayReading:
        """Take what the gateway told."""
        return sources.gateway.require()

    def judge(self, reading: GatewayReading, spec: HostSpec) -> list[CheckResult]:
        """Judge each engine by its latest five minutes."""
        most = spec.check.streams_broken
        return [self._engine(name, reading.recent.get(name, Ends()), most) for name in spec.engines]

    def _engine(self, name: str, ends: Ends, most: float) -> CheckResult:
        told = f"{ends.broken} of {ends.ended} streams were broken off in five minutes"
        if ends.broken >= LEAST and ends.broken > most * ends.ended:
            message = f"engine {name} breaks off its answers; look at its log: {told}"
            return warn(self.name, f"engine:{name}", "StreamsBroken", message, evidence=told)
        return ok(self.name, f"engine:{name}", told)
