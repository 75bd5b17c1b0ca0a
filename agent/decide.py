"""The agent's mind: one pure function from what is known to what is next.

    STARTING ──answers──▶ SERVING ──restart wanted──▶ DRAINING ──idle or deadline──▶ STARTING
       ▲                   │ ▲  └──drain, fault─────▶ DRAINING ──idle or deadline──▶ DRAINED
       └──budget allows──ended └──fault has cleared──────┘└───quarantine──▶ QUARANTINED

A fault that no request in flight survives needs no drain: SERVING goes where DRAINING would end.
Any restart by our own initiative beyond the budget of the window ends in QUARANTINED.
QUARANTINED and a person's DRAINED are left only by a named person. Unknown (None) moves nothing;
only a drain's deadline passes, whether we can look or not.

obey    what requests and boots lead to
budget  how often and how soon we may restart
moves   the moves themselves
comeback  how long its starts take
"""

from collections.abc import Callable

import msgspec

from agent import comeback, moves, obey
from agent.budget import backoff_until, restarts_left, today
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
)

IDLE_LOOKS = 2  # a request may be on its way between the gate and the engine's first count

_GOALS = {
    Remedy.DRAIN: Goal.FAULT,
    Remedy.RESTART: Goal.RESTART,
    Remedy.RESET: Goal.FAULT,  # rungs of the GPU and the host: `agent.ladder` climbs them
    Remedy.REBOOT: Goal.FAULT,
    Remedy.QUARANTINE: Goal.QUARANTINE,
}


def decide(state: EngineState, event: Event, policy: Policy, now: float) -> Decision:
    """Return what is next for one engine."""
    match event:
        case Requested():
            return obey.requested(state, event, policy, now)
        case Booted():
            return obey.booted(state, now)
        case Observed():
            return _PHASES[state.phase](today(state, policy, now), event, policy, now)


def _starting(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    if policy.act and seen.remedy is Remedy.QUARANTINE:
        return _quarantine(state, seen.reason, seen.message, policy, now)
    match seen.running:
        case None:
            return Decision(state=state)
        case False:
            return _not_running(state, seen, policy, now)
        case True:
            return _loading(state, seen, policy, now)


def _loading(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    if policy.act and _GOALS.get(seen.remedy) is Goal.FAULT:  # nothing to drain: the gate is shut
        return Decision(state=_out(state, seen, now))
    if seen.stale:
        return _restart(state, seen, state.reason, state.message, policy, now)
    if seen.answering and (seen.remedy is Remedy.NONE or not policy.act):
        message = "the engine answered a chat completion"
        fresh = moves.to(state, Phase.SERVING, "Answering", message, now)
        return Decision(state=msgspec.structs.replace(fresh, took=comeback.took(state, now)))
    if state.goal is Goal.RESTART:  # wanted before, and waits out its backoff
        return _restart(state, seen, state.reason, state.message, policy, now)
    if now - max(state.since, state.last_start) > policy.startup_deadline:
        message = f"no answer within {policy.startup_deadline:.0f} s of its start"
        return _restart(state, seen, "StartDeadline", message, policy, now)
    return Decision(state=state)


def _not_running(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    undrained = state.by != AGENT and state.last_start < state.since
    if undrained and not (policy.act and _GOALS.get(seen.remedy) is Goal.FAULT):
        return Decision(state=moves.started(state, now), start=True)
    return _ended(state, seen, policy, now)


def _serving(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    if seen.running is False:
        return _ended(state, seen, policy, now)
    if seen.remedy is Remedy.NONE:
        return Decision(state=state)
    if not policy.act:
        return Decision(state=state, advice=seen.remedy)
    return _faulty(state, seen, policy, now)


def _faulty(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    """Begin what the fault asks for: with a drain, unless there is nothing left to drain."""
    goal, reason = _GOALS[seen.remedy], seen.reason
    drained = state.phase is Phase.DRAINED
    if seen.fatal or seen.answering is False or drained:
        if goal is Goal.RESTART:
            return _restart(state, seen, reason, seen.message, policy, now)
        if goal is Goal.QUARANTINE:
            return _quarantine(state, reason, seen.message, policy, now)
        if seen.fatal:
            return Decision(state=_out(state, seen, now))
    if goal is Goal.RESTART and not restarts_left(state, policy, now):
        goal, reason = Goal.QUARANTINE, "BudgetSpent"
    return Decision(state=moves.drain(state, goal, seen.message, policy, now, reason=reason))


def _out(state: EngineState, seen: Observed, now: float) -> EngineState:
    """Out of service until the fault has cleared; stopped, if nothing on it can finish."""
    fresh = moves.to(state, Phase.DRAINED, seen.reason, seen.message, now)
    return msgspec.structs.replace(fresh, goal=Goal.FAULT, halted=seen.fatal or seen.halt)


def _draining(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    if state.by == AGENT and not policy.act:
        message = "the agent, which only observes now, takes its own drain back"
        return Decision(state=moves.to(state, Phase.STARTING, "Observing", message, now))
    if state.by == AGENT and policy.act and (other := _second_thought(state, seen, policy, now)):
        if other.state.phase is not Phase.DRAINING:
            return other
        state = other.state
    idle = state.idle + 1 if seen.in_flight == 0 else 0
    state = msgspec.structs.replace(state, idle=idle)
    late = state.deadline is not None and now >= state.deadline
    if not (late or idle >= IDLE_LOOKS or seen.running is False):
        return Decision(state=state)
    message = f"{state.message} ({'deadline reached' if late else 'no request in flight'})"
    if state.goal is not Goal.RESTART:
        reason = "DrainDeadline" if late else "Drained"
        reason = state.reason if state.by == AGENT else reason  # the fault says more
        fresh = moves.drained(state, reason, message, now)
        replace = state.goal is Goal.REPLACE
        return Decision(state=moves.started(fresh, now) if replace else fresh, start=replace)
    if state.by == AGENT:
        return _restart(state, seen, state.reason, message, policy, now)
    fresh = moves.to(state, Phase.STARTING, "Requested", message, now, by=state.by)
    return Decision(state=moves.started(fresh, now), start=True)


def _second_thought(
    state: EngineState, seen: Observed, policy: Policy, now: float
) -> Decision | None:
    """Our own drain for a fault follows what is known of the fault; None = it goes on."""
    if seen.running is not True or state.goal not in {Goal.FAULT, Goal.RESTART}:
        return None
    if seen.remedy is Remedy.NONE:
        if state.goal is Goal.RESTART:  # it was bad enough once
            return None
        message = "the fault has cleared before the drain was over"
        phase = Phase.SERVING if seen.answering else Phase.STARTING
        return Decision(state=moves.to(state, phase, "Healed", message, now))
    if seen.fatal or _GOALS[seen.remedy] is not state.goal:
        return _faulty(state, seen, policy, now)
    return None


def _drained(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    """Only our own fault drain ends by evidence, the rest by a person."""
    if state.goal is not Goal.FAULT or state.by != AGENT or seen.running is None:
        return Decision(state=state)
    if seen.remedy is Remedy.NONE:
        return _healed(state, seen, policy, now)
    if not policy.act:
        return Decision(state=state, advice=seen.remedy)
    if _GOALS[seen.remedy] is not Goal.FAULT:
        return _faulty(state, seen, policy, now)
    known = msgspec.structs.replace(
        state,
        reason=seen.reason,
        message=seen.message,
        halted=state.halted or seen.fatal or seen.halt,
    )
    return Decision(state=known)


def _healed(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    if seen.unsure:  # an agent that was killed does not know any more what it saw
        message = "the fault is not seen any more, but the driver of the GPUs cannot be asked"
        return Decision(state=msgspec.structs.replace(state, message=message))
    message = "the fault has cleared"
    if not seen.running:  # counted: a fault that comes and goes must not start it for ever
        return _restart(state, seen, "Healed", message, policy, now)
    return Decision(state=moves.to(state, Phase.STARTING, "Healed", message, now))


def _quarantined(state: EngineState, *_: Observed | Policy | float) -> Decision:
    return Decision(state=state)


_PHASES: dict[Phase, Callable[[EngineState, Observed, Policy, float], Decision]] = {
    Phase.STARTING: _starting,
    Phase.SERVING: _serving,
    Phase.DRAINING: _draining,
    Phase.DRAINED: _drained,
    Phase.QUARANTINED: _quarantined,
}


def _ended(state: EngineState, seen: Observed, policy: Policy, now: float) -> Decision:
    reason, message = seen.reason or "EngineEnded", seen.message or "the engine has ended"
    if seen.hopeless:
        return _quarantine(state, reason, message, policy, now)
    return _restart(state, seen, reason, message, policy, now)


def _restart(
    state: EngineState, seen: Observed, reason: str, message: str, policy: Policy, now: float
) -> Decision:
    """Restart by our own initiative: within budget, after the backoff, or not at all.

    Never on a GPU whose fault stands.
    """
    if policy.act and _GOALS.get(seen.remedy) is Goal.FAULT:
        return Decision(state=_out(state, seen, now))
    if policy.act and seen.remedy is Remedy.QUARANTINE:
        return _quarantine(state, seen.reason, seen.message, policy, now)
    if not policy.act:
        return Decision(state=moves.wait(state, reason, message, now), advice=Remedy.RESTART)
    if not restarts_left(state, policy, now):
        spent = f"{message}; {policy.budget} restarts within {policy.window:.0f} s did not help"
        return _quarantine(state, "BudgetSpent", spent, policy, now)
    if now < backoff_until(state, policy):
        goal = None if seen.running is False else Goal.RESTART
        return Decision(state=moves.wait(state, reason, message, now, goal))
    fresh = moves.to(state, Phase.STARTING, reason, message, now)
    counted = msgspec.structs.replace(fresh, starts=(*fresh.starts, now))
    return Decision(state=moves.started(counted, now), start=True, haste=seen.fatal)


def _quarantine(
    state: EngineState, reason: str, message: str, policy: Policy, now: float
) -> Decision:
    if not policy.act:
        return Decision(state=moves.wait(state, reason, message, now), advice=Remedy.QUARANTINE)
    return Decision(state=moves.to(state, Phase.QUARANTINED, reason, message, now))
