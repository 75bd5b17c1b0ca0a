"""What the agent publishes after every tick: the sole input of HTTP and metrics."""

from agent.model import Condition, EngineState, Phase, Remedy, Value
from agent.observe import answering
from agent.reports import Exit
from agent.sources.engine import EngineReading
from agent.sources.nvml import NvmlReading
from agent.spec import EngineSpec, digest


class EngineView(Value, frozen=True, kw_only=True):
    """One engine, as shown to people and machines."""

    state: EngineState
    kind: str
    model: str
    served_name: str
    port: int
    running: bool | None
    answering: bool | None
    requests_running: int | None
    requests_waiting: int | None
    gpus: tuple[str, ...]
    restarts_left: int
    advice: Remedy
    digest: str
    running_digest: str | None
    running_since: float | None
    last_exit: Exit | None

    @property
    def in_flight(self) -> int | None:
        """Requests accepted by the engine and not yet answered; None = not known."""
        if self.requests_running is None or self.requests_waiting is None:
            return None
        return self.requests_running + self.requests_waiting


def view(
    engine: EngineSpec,
    state: EngineState,
    look: EngineReading | None,
    *,
    left: int,
    advice: Remedy,
) -> EngineView:
    """Put what is wanted, remembered and seen of one engine side by side."""
    started = look.started if look else None
    return EngineView(
        state=state,
        kind=engine.kind,
        model=engine.model,
        served_name=engine.name_served,
        port=engine.port,
        running=look.running if look else None,
        answering=answering(look) if look else None,
        requests_running=look.load.running if look else None,
        requests_waiting=look.load.waiting if look else None,
        gpus=started.gpus if started else (),
        restarts_left=left,
        advice=advice,
        digest=digest(engine),
        running_digest=started.digest if started else None,
        running_since=started.started if started else None,
        last_exit=look.exit if look else None,
    )


class Snapshot(Value, frozen=True, kw_only=True):
    """One tick, complete and frozen. `at` is seconds since 1970; `tick_seconds` is its cost."""

    node: str
    phase: Phase
    reason: str
    message: str
    remediation: str
    engines: dict[str, EngineView]
    gpus: NvmlReading | None
    gpus_problem: str
    conditions: tuple[Condition, ...]
    checks_unknown: tuple[str, ...]
    version: str
    digest: str
    at: float
    tick_seconds: float


class Published:
    """Holds the latest snapshot; None until the first tick has ended."""

    def __init__(self) -> None:
        self.latest: Snapshot | None = None
