"""The moves from one state of an engine to the next. Pure; `agent.decide` says which and when."""

import msgspec

from agent.model import AGENT, EngineState, Goal, Phase, Policy


def to(
    state: EngineState, phase: Phase, reason: str, message: str, now: float, by: str = AGENT
) -> EngineState:
    """Enter `phase`; whatever was meant in the phase before is over."""
    shut, gap = _gate(state, phase, now)
    return msgspec.structs.replace(
        state,
        shut=shut,
        gap=gap,
        phase=phase,
        since=now,
        reason=reason,
        message=message,
        by=by,
        goal=None,
        deadline=None,
        idle=0,
        halted=False,
    )


def _gate(state: EngineState, phase: Phase, now: float) -> tuple[float | None, float | None]:
    """Return since when the gate is shut then, and for how long it was the last time."""
    if phase is Phase.SERVING:
        return None, state.gap if state.shut is None else round(now - state.shut, 3)
    return now if state.phase is Phase.SERVING else state.shut, state.gap


def started(state: EngineState, now: float) -> EngineState:
    """Remember a start."""
    return msgspec.structs.replace(state, last_start=now)


def wait(
    state: EngineState, reason: str, message: str, now: float, goal: Goal | None = None
) -> EngineState:
    """Not serving and not started again (yet): say why, keep the time it began.

    `Goal.RESTART`: the engine runs, and is to be restarted when its backoff is over.
    """
    if state.phase is Phase.STARTING:
        return msgspec.structs.replace(state, reason=reason, message=message, goal=goal)
    return msgspec.structs.replace(to(state, Phase.STARTING, reason, message, now), goal=goal)


def drain(
    state: EngineState,
    goal: Goal,
    message: str,
    policy: Policy,
    now: float,
    by: str = AGENT,
    reason: str = "Requested",
    *,
    at_once: bool = False,
) -> EngineState:
    """Begin a drain, or give a running one another goal; its deadline is never moved out.

    `at_once`: no request in flight can finish, so none is waited for.
    """
    deadline = now if at_once else now + policy.drain_deadline
    if state.phase is Phase.DRAINING and state.deadline is not None:
        deadline = min(deadline, state.deadline)
    fresh = to(state, Phase.DRAINING, reason, message, now, by=by)
    return msgspec.structs.replace(fresh, goal=goal, deadline=deadline)


def drained(state: EngineState, reason: str, message: str, now: float) -> EngineState:
    """End a drain that was not for a restart, in the phase that its goal says."""
    phase = Phase.QUARANTINED if state.goal is Goal.QUARANTINE else Phase.DRAINED
    goal = Goal.MAINTENANCE if state.goal is Goal.REPLACE else state.goal
    return msgspec.structs.replace(to(state, phase, reason, message, now, by=state.by), goal=goal)
