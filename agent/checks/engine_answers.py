"""Does the port of a running engine still answer?

A closed port while the unit runs is a fault only after the engine has served: every engine keeps
it closed while it loads. Slow is never a fault here.
"""

from collections.abc import Mapping

from agent.checks.base import fail, ok, unknown
from agent.model import CheckResult, Remedy
from agent.sources import Reading, Sources
from agent.sources.engine import Answer, EngineReading
from agent.spec import HostSpec

Readings = Mapping[str, Reading[EngineReading]]


class EngineAnswers:
    """See the module."""

    name = "engine_answers"

    async def read(self, sources: Sources) -> Readings:
        """Take this round's look at every engine."""
        return sources.engines

    def judge(self, reading: Readings, spec: HostSpec) -> list[CheckResult]:  # noqa: ARG002
        """Judge each engine by itself."""
        return [self._one(f"engine:{name}", look) for name, look in reading.items()]

    def _one(self, subject: str, look: Reading[EngineReading]) -> CheckResult:
        seen = look.value
        if seen is None:
            return unknown(self.name, subject, look.problem)
        if seen.health is Answer.SLOW:
            return unknown(self.name, subject, "slow to answer, as engines are under load")
        if not seen.running or seen.health is Answer.OK:
            told = "the engine answers" if seen.running else "it does not run: nothing is to answer"
            return ok(self.name, subject, told)
        if not seen.loaded:
            return ok(self.name, subject, "the engine loads: its port is closed, or not ready")
        if seen.health is Answer.BAD:
            message, why = "the engine says that it is not well", f"health {seen.health}"
            return fail(self.name, subject, "Unhealthy", message, Remedy.RESTART, evidence=why)
        message, why = "the engine runs, but its port is closed", "connection refused"
        return fail(self.name, subject, "PortClosed", message, Remedy.RESTART, evidence=why)
