"""How often and how soon the agent may restart an engine by its own initiative. Pure."""

from collections.abc import Iterable

import msgspec

from agent.model import EngineState, Policy

_DOUBLINGS = 60  # far beyond any cap; keeps the power within a float


def restarts_left(state: EngineState, policy: Policy, now: float) -> int:
    """Return how many restarts by our own initiative the window still allows."""
    return max(0, policy.budget - len(_recent(state.starts, policy, now)))


def backoff_until(state: EngineState, policy: Policy) -> float:
    """Return when the next restart may be: the n-th waits backoff x 2^(n-2), capped; the 1st 0."""
    if not state.starts:
        return 0.0
    doublings = min(len(state.starts) - 1, _DOUBLINGS)
    return state.starts[-1] + min(policy.backoff * 2.0**doublings, policy.backoff_cap)


def today(state: EngineState, policy: Policy, now: float) -> EngineState:
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
