"""The values the agent thinks in. All are frozen; nothing here reads a clock or touches the world.

Instants are seconds since 1970 (UTC).
"""

from enum import Enum, StrEnum
from functools import total_ordering

import msgspec

AGENT = "agent"  # the actor of everything that nobody asked for


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all values."""


class Status(StrEnum):
    """What a check found. UNKNOWN = could not look; it never restarts anything."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


@total_ordering
class Remedy(Enum):
    """The ladder, cheapest first; the worst open condition wins."""

    NONE = "none"
    DRAIN = "drain"
    RESTART = "restart"
    RESET = "reset"
    REBOOT = "reboot"
    QUARANTINE = "quarantine"

    @property
    def rank(self) -> int:
        """The place on the ladder; 0 = nothing to do."""
        return list(Remedy).index(self)

    def __lt__(self, other: "Remedy") -> bool:
        return self.rank < other.rank


class Phase(StrEnum):
    """Where an engine is in its life. Only SERVING lets new requests in."""

    STARTING = "STARTING"
    SERVING = "SERVING"
    DRAINING = "DRAINING"
    DRAINED = "DRAINED"
    QUARANTINED = "QUARANTINED"


class Goal(StrEnum):
    """What a drain is for."""

    RESTART = "restart"
    MAINTENANCE = "maintenance"
    REPLACE = "replace"  # maintenance, and the drained engine is restarted behind its gate
    FAULT = "fault"
    QUARANTINE = "quarantine"


class CheckResult(Value, frozen=True, kw_only=True):
    """One finding about one subject (`engine:NAME`, `gpu:UUID` or `node`).

    `certain` findings need no second look before they count (a process that has ended has ended).
    `fatal`: requests in flight on the subject cannot finish. `capacity`: the share of its work that
    the subject can still do. `evidence`: what was read, as a person would write it down.
    """

    check: str
    subject: str
    status: Status
    reason: str
    message: str
    remedy: Remedy = Remedy.NONE
    certain: bool = False
    fatal: bool = False
    capacity: float = 1.0
    evidence: str = ""


class Condition(Value, frozen=True, kw_only=True):
    """A finding that stood up to its threshold, and stays until the opposite does."""

    check: str
    subject: str
    status: Status
    reason: str
    message: str
    remedy: Remedy
    since: float
    fatal: bool = False
    capacity: float = 1.0
    evidence: str = ""


class EngineState(Value, frozen=True, kw_only=True):
    """All that is remembered of one engine, over restarts of the agent and of the host.

    `starts` are the restarts by our own initiative (the budget counts these); `last_start` is
    the last start by anybody. `idle` counts looks in a row that found no request in flight.
    `halted`: drained for a fault, and stopped too. `gpus` (UUIDs) are those of its last start.
    `took`: seconds from its last start that came to serve, until it did. `shut`: since when it has
    refused new requests; `gap`: for how many seconds it did the last time.
    """

    phase: Phase = Phase.STARTING
    since: float
    reason: str
    message: str
    by: str = AGENT
    goal: Goal | None = None
    deadline: float | None = None
    starts: tuple[float, ...] = ()
    last_start: float = 0.0
    idle: int = 0
    halted: bool = False
    gpus: tuple[str, ...] = ()
    took: float | None = None
    shut: float | None = None
    gap: float | None = None


class Observed(Value, frozen=True, kw_only=True):
    """One look at an engine. None = could not look."""

    running: bool | None = None
    answering: bool | None = None
    in_flight: int | None = None
    remedy: Remedy = Remedy.NONE
    reason: str = ""
    message: str = ""
    hopeless: bool = False  # the engine ended in a way that a restart cannot cure
    fatal: bool = False  # the fault is such that no request in flight can finish
    halt: bool = False  # the remedy needs the engine stopped
    stale: bool = False  # what runs is of before the last start, which has not come about
    unsure: bool = False  # the driver cannot be asked whether a fault of the GPUs is over


class Booted(Value, frozen=True, kw_only=True):
    """The host has started, or the engine is new: what is wanted must be started once."""


class Verb(StrEnum):
    """What a person or a deploy may ask for."""

    DRAIN = "drain"
    UNDRAIN = "undrain"
    RESTART = "restart"


class Requested(Value, frozen=True, kw_only=True):
    """Somebody asks; obeyed in every mode. `slot`: only once the fleet brake has granted one."""

    verb: Verb
    by: str
    reason: str
    slot: bool = False


Event = Observed | Booted | Requested


class Policy(Value, frozen=True, kw_only=True):
    """How patient the agent is with one engine and what it may do by itself (seconds)."""

    act: bool
    budget: int
    window: float
    backoff: float
    backoff_cap: float
    startup_deadline: float
    drain_deadline: float


class Decision(Value, frozen=True, kw_only=True):
    """The next state; whether to (re)start the engine now; and what we would do if we might.

    `haste`: the engine does nothing any more, so it gets no time to finish requests.
    """

    state: EngineState
    start: bool = False
    haste: bool = False
    advice: Remedy = Remedy.NONE


class Desired(Value, frozen=True, kw_only=True):
    """What a state asks of the world on every tick. Nothing here can start an engine."""

    gate_open: bool
    stopped: bool


def desired(state: EngineState) -> Desired:
    """Return what the state of an engine asks of the world."""
    return Desired(
        gate_open=state.phase is Phase.SERVING,
        stopped=state.halted or state.phase is Phase.QUARANTINED,
    )


# A node shows the worst phase of its engines.
_WORST_FIRST = (
    Phase.QUARANTINED,
    Phase.DRAINED,
    Phase.DRAINING,
    Phase.STARTING,
    Phase.SERVING,
)


def node_phase(engines: dict[str, EngineState]) -> tuple[Phase, str]:
    """Return the phase of the node and the name of the engine that gives it; "" = it has none."""
    return min(
        ((state.phase, name) for name, state in engines.items()),
        key=lambda pair: _WORST_FIRST.index(pair[0]),
        default=(Phase.SERVING, ""),
    )
