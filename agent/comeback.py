"""After how many seconds an engine that is shut will answer again: what clients are told. Pure.

The time that its last start took is measured; of a drain nobody knows how long it takes, so while
one lasts, and before a start has begun, that time alone is told: it cannot be sooner.
"""

from collections.abc import Mapping

from agent import served
from agent.engine_spec import EngineSpec
from agent.model import EngineState, Goal, Phase

# What can be told, in seconds. The gateway reads no numbers: it looks which file is there.
STEPS = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 450, 600, 900, 1200, 1800, 3600)


def took(state: EngineState, now: float) -> float | None:
    """Return how long the start took that has just come to its end; None = it was not started."""
    return round(now - state.last_start, 3) if state.last_start >= state.since else state.took


def expected(
    name: str, engines: Mapping[str, EngineSpec], states: Mapping[str, EngineState], now: float
) -> int | None:
    """Return the step for engine `name`: when the first of its replicas is back; None = unknown."""
    pool = next(one for one in served.pools(engines) if name in one.engines)
    known = [_left(states[one], now) for one in pool.engines if one in states]
    soonest = min((left for left in known if left is not None), default=None)
    if soonest is None:
        return None
    return next((one for one in STEPS if one >= soonest), STEPS[-1])


def _left(state: EngineState, now: float) -> float | None:
    if state.took is None:
        return None
    if state.phase is Phase.STARTING:
        begun = state.last_start if state.last_start >= state.since else now
        return max(state.took - (now - begun), 0.0)
    draining = state.phase is Phase.DRAINING and state.goal is Goal.RESTART
    return state.took if draining else None
