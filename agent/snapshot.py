"""What the agent publishes after every tick: the sole input of HTTP and metrics."""

from collections.abc import Callable, Mapping

from agent.drift.view import DriftView
from agent.gateway_books import Ends
from agent.ladder import Attempt, Step
from agent.model import Condition, EngineState, Phase, Remedy, Value
from agent.observe import answering
from agent.reports import Exit
from agent.scaling_spec import ScalingSpec
from agent.slots import Slots
from agent.sources.engine import EngineReading
from agent.sources.gateway import GatewayReading
from agent.sources.gpu import NvmlReading
from agent.spec import EngineSpec, digest
from agent.xid.incident import Incident


class EngineView(Value, frozen=True, kw_only=True):
    """One engine, as shown to people and machines.

    `replicas_wanted`: its share of the replicas that its model wants; None = not known.
    `kv_use_ratio` (0 to 1) and `tokens_per_second` (generated, over the latest looks) are None
    where the engine does not tell. `restarts_max` is the budget that `restarts_left` is left of.
    """

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
    capacity: float
    digest: str
    running_digest: str | None
    running_since: float | None
    last_exit: Exit | None
    gate_problem: str = ""
    replicas_wanted: float | None = None
    requests_running_max: int | None = None
    kv_use_ratio: float | None = None
    tokens_per_second: float | None = None
    restarts_max: int = 0

    @property
    def serving(self) -> bool:
        """Whether new requests get through."""
        return self.state.phase is Phase.SERVING and not self.gate_problem

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
    budget: int,
    at_once: int | None,
    advice: Remedy,
    capacity: float,
    gate_problem: str = "",
    scaling: ScalingSpec,
) -> EngineView:
    """Put what is wanted, remembered and seen of one engine side by side."""
    started = look.started if look else None
    waiting = look.load.waiting if look else None
    return EngineView(
        state=state,
        kind=engine.kind,
        model=engine.model,
        served_name=engine.name_served,
        port=engine.port,
        running=look.running if look else None,
        answering=answering(look) if look else None,
        requests_running=look.load.running if look else None,
        requests_waiting=waiting,
        gpus=started.gpus if started else (),
        requests_running_max=at_once,
        kv_use_ratio=look.kv_use_ratio if look else None,
        tokens_per_second=look.tokens_per_second if look else None,
        restarts_left=left,
        restarts_max=budget,
        advice=advice,
        capacity=capacity,
        gate_problem=gate_problem,
        replicas_wanted=scaling.share(engine.name_served, waiting),
        digest=digest(engine),
        running_digest=started.digest if started else None,
        running_since=started.started if started else None,
        last_exit=look.exit if look else None,
    )


class GatewayView(Value, frozen=True, kw_only=True):
    """The gateway, as far as the agent is told of it.

    `certificate_expires` in seconds since 1970, None = not known. `requests` since the agent began.
    `streams`: by engine, those that have ended within five minutes. `deaf`: why nobody tells.
    """

    certificate_expires: float | None = None
    requests: int = 0
    streams: Mapping[str, Ends] = {}
    deaf: str = ""


def gateway_view(look: GatewayReading | None) -> GatewayView:
    """Return what is shown of a reading; of none, that nothing is known."""
    if look is None:
        return GatewayView(deaf="not looked at")
    expires = look.certificate.ends if look.certificate else None
    return GatewayView(
        certificate_expires=expires, requests=look.requests, streams=look.recent, deaf=look.deaf
    )


class Snapshot(Value, frozen=True, kw_only=True):
    """The node, complete and frozen. `at`: when the last tick ended; `tick_seconds`: its cost.

    `gpus` is the last poll that showed any; `gpus_problem` says why there is no newer one.
    `incidents` are open, `incidents_closed` the latest closed ones, oldest first. `steps` are the
    rungs of the ladder that are due, `attempts` those that were begun within a week. `log_gaps`:
    how often records of the kernel's log were lost, 0 while it cannot be read. `slots`: what is
    held of the fleet brake; None = there is no FleetLock server. `roles`: what the host is beside a
    node with engines.
    """

    node: str
    phase: Phase
    reason: str
    message: str
    remediation: str
    roles: tuple[str, ...] = ()
    engines: dict[str, EngineView]
    gpus: NvmlReading | None
    gpus_problem: str
    conditions: tuple[Condition, ...]
    checks_unknown: tuple[str, ...]
    incidents: tuple[Incident, ...]
    incidents_closed: tuple[Incident, ...]
    steps: tuple[Step, ...]
    attempts: tuple[Attempt, ...]
    log_gaps: int = 0
    gateway: GatewayView = GatewayView()
    drift: DriftView = DriftView()
    slots: Slots | None = None
    version: str
    digest: str
    at: float
    tick_seconds: float

    @property
    def models(self) -> dict[str, dict[str, EngineView]]:
        """The engines by name, by the model that they serve: more than one are replicas."""
        found: dict[str, dict[str, EngineView]] = {}
        for name, view in self.engines.items():
            found.setdefault(view.served_name, {})[name] = view
        return found


Listener = Callable[[Snapshot | None, Snapshot], None]


class Published:
    """Holds the latest snapshot (None until the first tick has ended) and tells who listens."""

    def __init__(self) -> None:
        self.latest: Snapshot | None = None
        self._listeners: list[Listener] = []

    def show(self, snapshot: Snapshot) -> None:
        """Publish; listeners are called at once, with the one before, and must be quick."""
        before, self.latest = self.latest, snapshot
        for listener in self._listeners:
            listener(before, snapshot)

    def listen(self, listener: Listener) -> None:
        """Call `listener(before, latest)` from now on."""
        self._listeners.append(listener)
