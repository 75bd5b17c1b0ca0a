"""Does a serving engine get on with its work?

Judged by its steps, and in doubt by a probe (`agent.pace`), never by `/health`. A hung engine
finishes no request, so there is nothing to drain: it is restarted at once.
"""

from collections.abc import Mapping

from agent.checks.base import fail, ok, unknown, warn
from agent.model import CheckResult, Remedy
from agent.pace import Kind, Pace
from agent.sources import Reading, Sources
from agent.sources.engine import EngineReading
from agent.spec import HostSpec

Readings = Mapping[str, Reading[EngineReading]]


class EngineProgress:
    """See the module."""

    name = "engine_progress"

    async def read(self, sources: Sources) -> Readings:
        """Take this round's look at every engine."""
        return sources.engines

    def judge(self, reading: Readings, spec: HostSpec) -> list[CheckResult]:  # noqa: ARG002
        """Judge each engine by itself."""
        return [self._one(f"engine:{name}", look) for name, look in reading.items()]

    def _one(self, subject: str, look: Reading[EngineReading]) -> CheckResult:
        if look.value is None:
            return unknown(self.name, subject, look.problem)
        if not look.value.running:
            return unknown(self.name, subject, "the engine is not running")
        if look.value.pace is None:  # also clears what was found in a former run
            return ok(self.name, subject, "the engine starts; its start has a deadline of its own")
        return self._paced(subject, look.value, look.value.pace)

    def _paced(self, subject: str, look: EngineReading, pace: Pace) -> CheckResult:
        evidence = _evidence(look, pace)
        match pace.kind:
            case Kind.HUNG:
                message = f"the engine is hung: {_silence(look, pace)}, and a probe is not answered"
                return fail(
                    self.name,
                    subject,
                    "EngineHung",
                    message,
                    Remedy.RESTART,
                    certain=True,
                    fatal=True,
                    evidence=evidence,
                )
            case Kind.STALLED:
                message = f"{_silence(look, pace)}; a probe is asked"
                return warn(self.name, subject, "EngineStalled", message, evidence=evidence)
            case Kind.FULL:
                message = f"{_silence(look, pace)}, but it answers a probe, with a full queue"
                return warn(self.name, subject, "EngineStalled", message, evidence=evidence)
            case Kind.BLIND if pace.due:
                message = "its counters cannot be read, and a probe is not answered yet"
                return unknown(self.name, subject, message)
            case _:
                return ok(self.name, subject, "the engine gets on with its work")


def _silence(look: EngineReading, pace: Pace) -> str:
    if pace.still:
        pending = look.load.in_flight
        return f"no step for {pace.still:.0f} s with {'?' if pending is None else pending} pending"
    return f"no sign of life for {pace.quiet:.0f} s"


def _evidence(look: EngineReading, pace: Pace) -> str:
    steps = "unreadable" if pace.progress is None else f"{pace.progress:.0f}"
    pending = "unknown" if look.load.in_flight is None else str(look.load.in_flight)
    probe = "" if pace.asked is None else f", probe unanswered for {pace.asked:.1f} s"
    return (
        f"steps {steps}, pending {pending}, still for {pace.still:.1f} s, last sign of life "
        f"{pace.quiet:.1f} s ago, health {look.health}{probe}"
    )
