"""The agent's mind: one pure function from what is known to what is next.

    STARTING ──answers──▶ SERVING ──restart wanted──▶ DRAINING ──idle or deadline──▶ STARTING
       ▲                     │  └──drain asked──────▶ DRAINING ──idle or deadline──▶ DRAINED
       └──budget allows──ended  └──quarantine───────▶ DRAINING ──idle or deadline──▶ QUARANTINED

Any restart by our own initiative beyond the budget of the window ends in QUARANTINED.
QUARANTINED and a person's DRAINED are left only by a named person. Unknown (None) moves nothing.
"""

from collections.abc import Iterable

import msgspec

from agent.model import (
    AGENT,
    Booted,
    Decision,
    EngineState,
    Event,
    Goal,
    Observed,
    Phase,
    Policy,
    Remedy,
    Requested,
    Verb,
)

IDLE_LOOKS = 2  # a request may be on its way between the gate and the engine's first count


def decide(state: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    """Return what is next for one engine."""
    match event:
        case Requested():
            return _requested(state, event, policy, now)
        case Booted():
            return _booted(state, now)
        case Observed():
            return _PHASES[state.phase](_today(state, policy, now), event, policy, now)


def restarts_left(state: EngineState, policy: Policy, now: float) -> int:
    """Return how many restarts by our own initiative the window still allows."""
    return max(0, policy.budget - len(_recent(state.starts, policy, now)))


def _requested(state: EngineState, asked: Requested, policy: Policy, now: float) -> Decision:
    match asked.verb:
        case Verb.DRAIN if state.phase in {Phase.DRAINED, Phase.QUARANTINED}:
            return Decision(state=state)
        case Verb.DRAIN:
            goal = Goal.MAINTENANCE
            return Decision(state=_drain(state, goal, asked.reason, asked.by, policy, now))
        case Verb.UNDRAIN if state.phase in {Phase.STARTING, Phase.SERVING}:
            return Decision(state=state)
        case Verb.UNDRAIN:
            # A latch released by a person starts with a full budget.
            fresh = _to(state, Phase.STARTING, "Undrained", asked.reason, now, by=asked.by)
            return Decision(state=msgspec.structs.replace(fresh, starts=()))
        case Verb.RESTART:
            return _restart_asked(state, asked, policy, now)


def _restart_asked(state: EngineState, asked: Requested, policy: Policy, now: float) -> Decision:
    if state.phase is Phase.DRAINED:  # a person's drain outlives a restart
        return Decision(state=_started(state, now), start=True)
    if state.phase in {Phase.SERVING, Phase.DRAINING}:
        return Decision(state=_drain(state, Goal.RESTART, asked.reason, asked.by, policy, now))
    fresh = _to(state, Phase.STARTING, "Requested", asked.reason, now, by=asked.by)
    return Decision(state=_started(fresh, now), start=True)


def _booted(state: EngineState, now: float) -> Decision:
    """Start once what a deploy has asked for: obedience, so also when the agent only observes."""
    if state.phase in {Phase.DRAINED, Phase.QUARANTINED}:
        return Decision(state=state)
    if state.phase is Phase.DRAINING and state.goal in {Goal.MAINTENANCE, Goal.QUARANTINE}:
        return Decision(state=_drained(state, "Booted", "the host has started", now))
    fresh = _to(state, Phase.STARTING, "Booted", "the engine is started with the host", now)
    return Decision(state=_started(fresh, now), start=True)


def _starting(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    if seen.remedy is Remedy.QUARANTINE:
        return _quarantine(state, seen.reason, seen.message, policy, now)
    fit = seen.remedy is Remedy.NONE or not policy.act
    if seen.running and seen.answering and fit:
        message = "the engine answered a chat completion"
        return Decision(state=_to(state, Phase.SERVING, "Answering", message, now))
    if seen.running is False and state.by != AGENT and state.last_start < state.since:
        return Decision(state=_started(state, now), start=True)  # undrained, and found stopped
    if seen.running is False:
        return _ended(state, seen, policy, now)
    since = max(state.since, state.last_start)
    if seen.running and now - since > policy.startup_deadline:
        message = f"no answer within {policy.startup_deadline:.0f} s of its start"
        return _restart(state, "StartDeadline", message, policy, now)
    return Decision(state=state)


def _serving(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    if seen.running is False:
        return _ended(state, seen, policy, now)
    if seen.remedy is Remedy.NONE:
        return Decision(state=state)
    if not policy.act:
        return Decision(state=state, advice=seen.remedy)
    if seen.remedy is Remedy.RESTART and seen.answering is False:
        return _restart(state, seen.reason, seen.message, policy, now)  # nothing left to drain
    if seen.remedy is Remedy.RESTART and not restarts_left(state, policy, now):
        return _quarantine(state, "BudgetSpent", seen.message, policy, now)
    goal = _GOALS[seen.remedy]
    return Decision(state=_drain(state, goal, seen.message, AGENT, policy, now, seen.reason))


def _draining(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    idle = state.idle + 1 if seen.in_flight == 0 else 0
    state = msgspec.structs.replace(state, idle=idle)
    late = state.deadline is not None and now >= state.deadline
    if not (late or idle >= IDLE_LOOKS or seen.running is False):
        return Decision(state=state)
    reason = "DrainDeadline" if late else "Drained"
    message = f"{state.message} ({'deadline reached' if late else 'no request in flight'})"
    if state.goal is not Goal.RESTART:
        return Decision(state=_drained(state, reason, message, now))
    if state.by == AGENT:
        return _restart(state, state.reason, message, policy, now)
    fresh = _to(state, Phase.STARTING, "Requested", message, now, by=state.by)
    return Decision(state=_started(fresh, now), start=True)


def _out(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    """Drained: only our own fault drain ends by evidence, the rest by a person."""
    healed = seen.remedy is Remedy.NONE and seen.running is not None
    if state.goal is Goal.FAULT and state.by == AGENT and healed:
        return Decision(state=_to(state, Phase.STARTING, "Healed", "the fault has cleared", now))
    if state.goal is Goal.FAULT and seen.remedy is Remedy.QUARANTINE:
        return _quarantine(state, seen.reason, seen.message, policy, now)
    return Decision(state=state)


def _stay(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:  # noqa: ARG001
    return Decision(state=state)


_PHASES = {
    Phase.STARTING: _starting,
    Phase.SERVING: _serving,
    Phase.DRAINING: _draining,
    Phase.DRAINED: _out,
    Phase.QUARANTINED: _stay,
}
_GOALS = {
    Remedy.DRAIN: Goal.FAULT,
    Remedy.RESTART: Goal.RESTART,
    Remedy.RESET: Goal.FAULT,  # no rung beyond a restart is built yet: drained, until it heals
    Remedy.REBOOT: Goal.FAULT,
    Remedy.QUARANTINE: Goal.QUARANTINE,
}


def _ended(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    reason, message = seen.reason or "EngineEnded", seen.message or "the engine has ended"
    if seen.hopeless:
        return _quarantine(state, reason, message, policy, now)
    return _restart(state, reason, message, policy, now)


def _restart(state: EngineState, reason: str, message: str, policy: Policy, now: float) -> Decision:
    """Restart by our own initiative: within budget, after the backoff, or not at all."""
    waiting = _wait(state, reason, message, now)
    if not policy.act:
        return Decision(state=waiting, advice=Remedy.RESTART)
    if not restarts_left(state, policy, now):
        spent = f"{message}; {policy.budget} restarts within {policy.window:.0f} s did not help"
        return _quarantine(state, "BudgetSpent", spent, policy, now)
    if now < _backoff_until(state, policy):
        return Decision(state=waiting)
    fresh = _to(state, Phase.STARTING, reason, message, now)
    counted = msgspec.structs.replace(fresh, starts=(*fresh.starts, now))
    return Decision(state=_started(counted, now), start=True)


def _quarantine(
    state: EngineState, reason: str, message: str, policy: Policy, now: float
) -> Decision:
    if not policy.act:
        return Decision(state=_wait(state, reason, message, now), advice=Remedy.QUARANTINE)
    return Decision(state=_to(state, Phase.QUARANTINED, reason, message, now))


def _wait(state: EngineState, reason: str, message: str, now: float) -> EngineState:
    """Not serving and not started again (yet): say why, keep the time it began."""
    if state.phase is Phase.STARTING:
        return msgspec.structs.replace(state, reason=reason, message=message)
    return _to(state, Phase.STARTING, reason, message, now)


def _drain(
    state: EngineState,
    goal: Goal,
    message: str,
    by: str,
    policy: Policy,
    now: float,
    reason: str = "Requested",
) -> EngineState:
    """Begin a drain, or give a running one another goal; its deadline is never moved out."""
    deadline = now + policy.drain_deadline
    if state.phase is Phase.DRAINING and state.deadline is not None:
        deadline = min(deadline, state.deadline)
    fresh = _to(state, Phase.DRAINING, reason, message, now, by=by)
    return msgspec.structs.replace(fresh, goal=goal, deadline=deadline)


def _drained(state: EngineState, reason: str, message: str, now: float) -> EngineState:
    phase = Phase.QUARANTINED if state.goal is Goal.QUARANTINE else Phase.DRAINED
    fresh = _to(state, phase, reason, message, now, by=state.by)
    return msgspec.structs.replace(fresh, goal=state.goal)


def _to(
    state: EngineState, phase: Phase, reason: str, message: str, now: float, by: str = AGENT
) -> EngineState:
    return msgspec.structs.replace(
        state,
        phase=phase,
        since=now,
        reason=reason,
        message=message,
        by=by,
        goal=None,
        deadline=None,
        idle=0,
    )


def _started(state: EngineState, now: float) -> EngineState:
    return msgspec.structs.replace(state, last_start=now)


def _backoff_until(state: EngineState, policy: Policy) -> float:
    """The first restart is immediate; the n-th in a row waits backoff x 2^(n-2), capped."""
    if not state.starts:
        return 0.0
    wait = min(policy.backoff * 2.0 ** (len(state.starts) - 1), policy.backoff_cap)
    return state.starts[-1] + wait


def _today(state: EngineState, policy: Policy, now: float) -> EngineState:
    """Forget what the window has passed; a future instant (the clock stepped back) is now."""
    deadline = state.deadline
    if deadline is not None:
        deadline = min(deadline, now + policy.drain_deadline)
    return msgspec.structs.replace(
        state,
        since=min(state.since, now),
        last_start=min(state.last_start, now),
        deadline=deadline,
        starts=_recent(state.starts, policy, now),
    )


def _recent(starts: Iterable[float], policy: Policy, now: float) -> tuple[float, ...]:
    return tuple(min(at, now) for at in starts if now - at < policy.window)
