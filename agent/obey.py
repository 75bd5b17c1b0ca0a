"""What somebody asked for, and what a boot asks for: carried out in every mode. Pure."""

import msgspec

from agent import moves
from agent.model import AGENT, Decision, EngineState, Goal, Phase, Policy, Requested, Verb


def requested(state: EngineState, asked: Requested, policy: Policy, now: float) -> Decision:
    """Return what a request leads to."""
    match asked.verb:
        case Verb.DRAIN:
            return Decision(state=_drain(state, asked, policy, now))
        case Verb.UNDRAIN if state.phase in {Phase.STARTING, Phase.SERVING}:
            return Decision(state=state)
        case Verb.UNDRAIN:
            return Decision(state=_released(state, "Undrained", asked, now))
        case Verb.RESTART:
            return _restart(state, asked, policy, now)


def booted(state: EngineState, now: float) -> Decision:
    """Start once what a deploy has asked for: obedience, so also when the agent only observes."""
    if state.phase in {Phase.DRAINED, Phase.QUARANTINED}:
        return Decision(state=state)
    stays_out = {Goal.MAINTENANCE, Goal.REPLACE, Goal.QUARANTINE}
    if state.phase is Phase.DRAINING and state.goal in stays_out:
        return Decision(state=moves.drained(state, "Booted", "the host has started", now))
    message = "the engine is started with the host"
    fresh = moves.to(state, Phase.STARTING, "Booted", message, now)
    return Decision(state=moves.started(fresh, now), start=True)


def _drain(state: EngineState, asked: Requested, policy: Policy, now: float) -> EngineState:
    if state.phase is Phase.QUARANTINED or (state.phase is Phase.DRAINED and state.by != AGENT):
        return state
    if state.phase is Phase.DRAINED:  # what we drained for a fault does not heal any more
        return msgspec.structs.replace(
            state, by=asked.by, goal=Goal.MAINTENANCE, reason="Requested", message=asked.reason
        )
    goal = Goal.REPLACE if _restart_is_asked(state) else Goal.MAINTENANCE
    return moves.drain(state, goal, asked.reason, policy, now, asked.by)


def _restart(state: EngineState, asked: Requested, policy: Policy, now: float) -> Decision:
    match state.phase:
        case Phase.DRAINED:  # a drain outlives a restart
            return Decision(state=moves.started(state, now), start=True)
        case Phase.DRAINING if state.goal in {Goal.MAINTENANCE, Goal.REPLACE}:
            state = moves.drain(state, Goal.REPLACE, asked.reason, policy, now, asked.by)
            return Decision(state=state)
        case Phase.SERVING | Phase.DRAINING:
            state = moves.drain(state, Goal.RESTART, asked.reason, policy, now, asked.by)
            return Decision(state=state)
        case Phase.QUARANTINED:
            fresh = _released(state, "Requested", asked, now)
        case Phase.STARTING:
            fresh = moves.to(state, Phase.STARTING, "Requested", asked.reason, now, by=asked.by)
    return Decision(state=moves.started(fresh, now), start=True)


def _released(state: EngineState, reason: str, asked: Requested, now: float) -> EngineState:
    """A latch released by a person starts with a full budget."""
    fresh = moves.to(state, Phase.STARTING, reason, asked.reason, now, by=asked.by)
    return msgspec.structs.replace(fresh, starts=())


def _restart_is_asked(state: EngineState) -> bool:
    wanted = state.goal in {Goal.RESTART, Goal.REPLACE} and state.by != AGENT
    return state.phase is Phase.DRAINING and wanted
