"""Does every engine serve? The agent knows why not, and what else stands against the node."""

from collections.abc import Iterator

import msgspec

from agent.doctor.examinations.units import UP, states
from agent.doctor.finding import Finding, fault, note, warning
from agent.doctor.seen import Seen
from agent.errors import StokerError
from agent.model import AGENT, Condition, Phase, Status
from agent.paths import engine_unit
from agent.snapshot import EngineView, Snapshot
from agent.spec import HostSpec

UNIT = "stoker-agent.service"
# Checks of the agent whose subject is examined here too, by a look of its own.
EXAMINED = frozenset(
    {
        "certificate",
        "clock",
        "disk",
        "driver_answers",
        "driver_version",
        "engine_answers",
        "fabric",
        "gpu_count",
        "gpu_memory",
        "gpu_recovery",
        "gpu_state",
        "pcie_link",
        "services",
    }
)


class EnginesReading(msgspec.Struct, frozen=True, kw_only=True):
    """`snapshot`: None = the agent does not answer. `down`: engines whose unit does not run."""

    snapshot: Snapshot | None = None
    down: tuple[str, ...] = ()


class Engines:
    """See the module."""

    name = "engines"

    def read(self, seen: Seen, spec: HostSpec | None) -> EnginesReading:
        """Ask the agent, and systemd."""
        found = states(seen, [engine_unit(name) for name in spec.engines]) if spec else {}
        down = [
            name
            for name in (spec.engines if spec else ())
            if engine_unit(name) not in found or found[engine_unit(name)].active not in UP
        ]
        try:
            snapshot = seen.agent()
        except StokerError:  # its unit is examined too
            snapshot = None
        return EnginesReading(snapshot=snapshot, down=tuple(down))

    def judge(
        self, reading: EnginesReading, spec: HostSpec | None, now: float
    ) -> Iterator[Finding]:
        """Without an agent its unit is the finding; engines may well serve."""
        told = reading.snapshot.engines if reading.snapshot else {}
        for name in spec.engines if spec else ():
            if name in told:
                yield from _phase(name, told[name], now)
            elif name in reading.down:
                yield fault(
                    f"engine {name} does not run, and no agent tells why",
                    f"systemctl start {UNIT}; journalctl -u {engine_unit(name)} -n 50",
                )


class AgentSays:
    """What else does the agent hold against the node?"""

    name = "agent_says"

    def read(self, seen: Seen, spec: HostSpec | None) -> Snapshot | None:
        """Take what it published last; where it does not run, its unit is the finding."""
        if spec is None:
            return None
        try:
            return seen.agent()
        except StokerError:
            return None

    def judge(
        self, reading: Snapshot | None, _spec: HostSpec | None, _now: float
    ) -> Iterator[Finding]:
        """Open incidents, and conditions that nothing else here looks at."""
        if reading is None:
            return
        for one in reading.incidents:
            yield warning(
                f"incident {one.id} is open",
                f'stokerctl why; when it is dealt with: stokerctl ack {one.id} --reason "…"',
            )
        for condition in reading.conditions:
            if condition.check not in EXAMINED:
                yield _condition(condition)
        if reading.checks_unknown:
            names = ", ".join(reading.checks_unknown)
            yield note(f"the agent cannot look at: {names}", "stokerctl status")


def _condition(one: Condition) -> Finding:
    said = f"{one.subject}: {one.message}" + (f" ({one.evidence})" if one.evidence else "")
    return (fault if one.status is Status.FAIL else warning)(said, "stokerctl why")


def _phase(name: str, view: EngineView, now: float) -> Iterator[Finding]:
    state = view.state
    why = f"{state.reason}: {state.message}"
    release = f'stokerctl why {name}; then stokerctl undrain {name} --reason "…"'
    match state.phase:
        case Phase.QUARANTINED:
            yield fault(f"engine {name} is quarantined ({why})", release)
        case Phase.DRAINED | Phase.DRAINING if state.by != AGENT:
            yield warning(
                f"engine {name} is {state.phase.lower()}, by {state.by}: {state.message}", release
            )
        case Phase.DRAINED | Phase.DRAINING:
            yield fault(f"engine {name} is {state.phase.lower()} ({why})", f"stokerctl why {name}")
        case Phase.STARTING:
            yield note(
                f"engine {name} has been starting for {now - state.since:.0f} s ({why})",
                f"stokerctl why {name}",
            )
        case Phase.SERVING if view.gate_problem:
            yield fault(
                f"engine {name} is ready, but its gate does not open: {view.gate_problem}",
                "ls -ld /run/stoker/gates: it must be the agent's; deploy this host again",
            )
        case Phase.SERVING:
            pass
