"""From the snapshot to what HAProxy is told about the node, an engine, or a model. Pure."""

from collections.abc import Collection, Mapping

from agent.agentcheck import line
from agent.model import AGENT, EngineState, Phase
from agent.snapshot import EngineView, Snapshot

MODEL = "model="


def told(
    snapshot: Snapshot | None, asked: str | None, most: Mapping[str, int] | None = None
) -> str:
    """Return the agent-check line; the node is as good as the worst of its models.

    A model (`model=NAME`) is served as long as one of its engines does; `most` = how many requests
    each engine takes at once, told of a model alone.
    """
    if snapshot is None:
        return _down("Starting")
    if asked is not None and asked.startswith(MODEL):
        views = snapshot.models.get(asked.removeprefix(MODEL))
        return _model(views, most or {}) if views else _down("NoSuchModel")
    if asked is not None and asked not in snapshot.engines:
        return _down("NoSuchEngine")
    models = [*snapshot.models.values()] if asked is None else [{asked: snapshot.engines[asked]}]
    if any(view.gate_problem for views in models for view in views.values()):
        return _down("GateStuck")
    if out := [one.state for views in models if not _serving(views) for one in views.values()]:
        return _out(out, None)
    weight = round(100 * min(map(_share, models), default=1.0))
    return line(serving=True, weight_percent=weight, maintenance=False, reason="")


def _serving(views: Mapping[str, EngineView]) -> dict[str, EngineView]:
    return {name: view for name, view in views.items() if view.serving}


def _share(views: Mapping[str, EngineView]) -> float:
    """Return as much as its serving engines can do, of what all of them could.

    One that has never served takes nothing away: it is more than there was, such as a copy.
    """
    known = [view for view in views.values() if view.serving or not _new(view.state)]
    return sum(view.capacity for view in _serving(views).values()) / len(known)


def _new(state: EngineState) -> bool:
    return state.phase is Phase.STARTING and state.shut is None


def _model(views: Mapping[str, EngineView], most: Mapping[str, int]) -> str:
    serving = _serving(views)
    if not serving:
        if any(view.gate_problem for view in views.values()):
            return _down("GateStuck")
        return _out([view.state for view in views.values()], _most(views, most))
    return line(
        serving=True,
        weight_percent=round(100 * _share(views)),
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
