"""From the snapshot to what HAProxy is told about the node, or about one engine. Pure."""

from agent.agentcheck import line
from agent.model import AGENT, EngineState, Phase
from agent.snapshot import Snapshot


def told(snapshot: Snapshot | None, engine: str | None) -> str:
    """Return the agent-check line; the node is as good as the worst of its engines."""
    if snapshot is None:
        return _down("Starting")
    if engine is not None and engine not in snapshot.engines:
        return _down("NoSuchEngine")
    views = snapshot.engines.values() if engine is None else [snapshot.engines[engine]]
    if any(view.gate_problem for view in views):
        return _down("GateStuck")
    out = [view.state for view in views if not view.serving]
    if not out:
        weight = round(100 * min((view.capacity for view in views), default=1.0))
        return line(serving=True, weight_percent=weight, maintenance=False, reason="")
    reason = next((one.reason for one in out if not _by_a_person(one)), out[0].reason)
    maintenance = all(map(_by_a_person, out))
    return line(serving=False, weight_percent=100, maintenance=maintenance, reason=reason)


def _by_a_person(state: EngineState) -> bool:
    return state.phase in {Phase.DRAINING, Phase.DRAINED} and state.by != AGENT


def _down(reason: str) -> str:
    return line(serving=False, weight_percent=100, maintenance=False, reason=reason)
