"""From the snapshot to what HAProxy is told about the node, an engine, or a model. Pure."""

from collections.abc import Collection, Mapping

from agent.agentcheck import line
from agent.model import AGENT, EngineState, Phase
from agent.snapshot import EngineView, Snapshot

MODEL = "model="


def told(
    snapshot: Snapshot | None, asked: str | None, most: Mapping[str, int] | None = None
) -> str:
    """Return the agent-check line; the node is as good as the worst of its engines.

    A model (`model=NAME`) is served as long as one of its engines does; `most` = how many requests
    each engine takes at once, told of a model alone.
    """
    if snapshot is None:
        return _down("Starting")
    if asked is not None and asked.startswith(MODEL):
        model = asked.removeprefix(MODEL)
        views = {n: one for n, one in snapshot.engines.items() if one.served_name == model}
        return _model(views, most or {}) if views else _down("NoSuchModel")
    if asked is not None and asked not in snapshot.engines:
        return _down("NoSuchEngine")
    found = snapshot.engines.values() if asked is None else [snapshot.engines[asked]]
    if any(view.gate_problem for view in found):
        return _down("GateStuck")
    if out := [view.state for view in found if not view.serving]:
        return _out(out, None)
    weight = round(100 * min((view.capacity for view in found), default=1.0))
    return line(serving=True, weight_percent=weight, maintenance=False, reason="")


def _model(views: Mapping[str, EngineView], most: Mapping[str, int]) -> str:
    """As much of it as its serving engines can do, of what all of them could."""
    serving = {name: view for name, view in views.items() if view.serving}
    if not serving:
        if any(view.gate_problem for view in views.values()):
            return _down("GateStuck")
        return _out([view.state for view in views.values()], _most(views, most))
    share = sum(view.capacity for view in serving.values()) / len(views)
    return line(
        serving=True,
        weight_percent=round(100 * share),
        maintenance=False,
        reason="",
        maxconn=_most(serving, most),
    )


def _most(views: Mapping[str, EngineView], most: Mapping[str, int]) -> int | None:
    if not set(views) <= set(most):
        return None
    return round(sum(most[name] * view.capacity for name, view in views.items()))


def _out(states: Collection[EngineState], maxconn: int | None) -> str:
    first = next(iter(states)).reason
    reason = next((one.reason for one in states if not _by_a_person(one)), first)
    return line(
        serving=False,
        weight_percent=100,
        maintenance=all(map(_by_a_person, states)),
        reason=reason,
        maxconn=maxconn,
    )


def _by_a_person(state: EngineState) -> bool:
    return state.phase in {Phase.DRAINING, Phase.DRAINED} and state.by != AGENT


def _down(reason: str) -> str:
    return line(serving=False, weight_percent=100, maintenance=False, reason=reason)
