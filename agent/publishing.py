"""From what the loop knows to the snapshot that readers get. Pure."""

from collections.abc import Mapping, Sequence

from agent.budget import restarts_left
from agent.drift.view import DriftView
from agent.engines import ENGINES
from agent.ladder import Step
from agent.model import Condition, Remedy, Status, Value, node_phase
from agent.observe import capacity, policy, subjects
from agent.picture import Picture
from agent.snapshot import EngineView, Snapshot, gateway_view, view
from agent.sources.engine import EngineReading
from agent.spec import HostSpec
from agent.state import NodeState

CLOSED_SHOWN = 50  # incidents
NO_ENGINES = ("NoEngines", "this host has no engine, and is well")


class About(Value, frozen=True, kw_only=True):
    """The agent itself: its version, and the digest of the spec that it runs with."""

    version: str
    digest: str


def snapshot(
    spec: HostSpec,
    about: About,
    state: NodeState,
    picture: Picture,
    *,
    advice: Mapping[str, Remedy],
    steps: Sequence[Step],
    stuck: Mapping[str, str],
    drift: DriftView,
    at: float,
    took: float,
    now: float,
) -> Snapshot:
    """Return one frozen document of the node; `at` is when the last tick ended."""
    phase, name = node_phase(state.engines)
    looks, conditions, sources = picture.looks, picture.standing, picture.sources
    unknown = {one.check for one in picture.results if one.status is Status.UNKNOWN}
    reason, message = NO_ENGINES
    if name:
        reason, message = (
            state.engines[name].reason,
            f"engine {name}: {state.engines[name].message}",
        )
    return Snapshot(
        node=spec.name,
        phase=phase,
        reason=reason,
        message=message,
        roles=spec.roles,
        remediation=spec.agent.remediation,
        engines={
            name: _engine(
                spec, name, state, looks.get(name), advice, conditions, stuck.get(name, ""), now
            )
            for name in spec.engines
        },
        gpus=sources.gpus_last_seen,
        gpus_problem=sources.nvml.problem,
        conditions=tuple(sorted(conditions, key=lambda c: (-c.remedy.rank, c.check, c.subject))),
        checks_unknown=tuple(sorted(unknown)),
        incidents=state.ledger.open,
        incidents_closed=state.ledger.closed[-CLOSED_SHOWN:],
        steps=tuple(steps),
        attempts=state.attempts,
        gateway=gateway_view(sources.gateway.value),
        drift=drift,
        slots=state.slots if spec.agent.fleetlock_url else None,
        log_gaps=sources.log.value.gaps if sources.log.value else 0,
        version=about.version,
        digest=about.digest,
        at=at,
        tick_seconds=took,
    )


def _engine(
    spec: HostSpec,
    name: str,
    state: NodeState,
    look: EngineReading | None,
    advice: Mapping[str, Remedy],
    conditions: Sequence[Condition],
    gate_problem: str,
    now: float,
) -> EngineView:
    engine, mine = spec.engines[name], state.engines[name]
    return view(
        engine,
        mine,
        look,
        left=restarts_left(mine, policy(spec, engine), now),
        budget=spec.agent.restart_budget,
        at_once=ENGINES[engine.kind].at_once(engine),
        advice=advice.get(name, Remedy.NONE),
        capacity=capacity(conditions, subjects(name, mine), engine, len(mine.gpus)),
        gate_problem=gate_problem,
        scaling=spec.scaling,
    )
