"""From what the queues ask for at each look to what is wanted: limits in size and in time. Pure.

As the HPA controller does it (`pkg/controller/podautoscaler/horizontal.go` of Kubernetes 1.33, and
"Configurable scaling behavior" at
https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/):

- outside `min` and `max` the queues are not asked;
- the highest of what was asked within the stabilisation window counts on the way down; what was
  found at the first look begins the window, so that a restart of ours takes nothing away;
- up by the larger of a share and a number within a period, down by a share.

In two things we differ. Hosts come minutes after they were asked for, so the rate is measured on
what came, not on what was asked; what was asked for and has not come is, for the window, as good
as there, or the answer would swing with the noise meanwhile. And as long as a single replica is
unknown, none is taken away.
"""

import math
from collections.abc import Sequence

import msgspec

from agent.scaling_spec import ScalingSpec
from fleet.scaling import hpa
from fleet.scaling.hpa import Asked, Replica, Standing


class Look(msgspec.Struct, frozen=True):
    """A look at `at`, seconds since 1970: how many there were, were asked for, and were wanted."""

    at: float
    current: int
    asked: int
    desired: int


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """How many are wanted, and what made it so.

    `limit`: which limit decided: "", "min", "max", "rate", "window", "unknown" or "blind".
    """

    current: int
    desired: int
    asked: Asked
    limit: str = ""
    unknown: int = 0
    unready: int = 0
    gone: int = 0


def decide(
    wish: ScalingSpec, replicas: Sequence[Replica], looks: Sequence[Look], now: float
) -> tuple[Decision, tuple[Look, ...]]:
    """Return what is wanted of one model, and the looks to remember."""
    there = hpa.current(replicas)
    asked = hpa.asked(replicas, wish.target_queue, wish.tolerance)
    past = tuple(looks) or (Look(now, there, there, there),)
    counted, desired, limit = _within(wish, there, asked, past, now)
    unknown = sum(one.standing is Standing.MISSING for one in replicas)
    if unknown and desired < there:
        desired, limit = there, "unknown"
    if counted is not None:
        past = (*past, Look(now, there, counted, desired))
    found = Decision(
        current=there,
        desired=desired,
        asked=asked,
        limit=limit,
        unknown=unknown,
        unready=sum(one.standing is Standing.UNREADY for one in replicas),
        gone=sum(one.standing is Standing.GONE for one in replicas),
    )
    return found, _remembered(wish, past, now)


def _within(
    wish: ScalingSpec, there: int, asked: Asked, past: tuple[Look, ...], now: float
) -> tuple[int | None, int, str]:
    """Return what counts as asked for, what is wanted, and the limit that decided."""
    if there < wish.min:
        return wish.min, wish.min, "min"
    if wish.max is not None and there > wish.max:
        return wish.max, wish.max, "max"
    if asked.replicas is None:
        return None, there, "blind"
    # Clocks of a later run may be behind; such looks count as of now.
    recent = [one.asked for one in past if now - one.at < wish.stabilisation]
    expected = max(there, past[-1].desired)
    steady = max(asked.replicas, min(expected, max([asked.replicas, *recent])))
    desired, limit = steady, "window" if steady != asked.replicas else ""
    fastest = _most(wish, there, past, now) if desired > there else _least(wish, there, past, now)
    if (desired > there and desired > fastest) or (desired < there and desired < fastest):
        desired, limit = fastest, "rate"
    if desired < wish.min:
        desired, limit = wish.min, "min"
    if wish.max is not None and desired > wish.max:
        desired, limit = wish.max, "max"
    return asked.replicas, desired, limit


def _most(wish: ScalingSpec, there: int, past: Sequence[Look], now: float) -> int:
    """Return how many there may be at most: the larger of the two limits."""
    start = _at_start(there, past, now, wish.up_period)
    share = math.ceil(start * (100 + wish.up_percent) / 100)
    return max(there, share, start + wish.up_replicas)


def _least(wish: ScalingSpec, there: int, past: Sequence[Look], now: float) -> int:
    """Return how few there may be."""
    start = _at_start(there, past, now, wish.down_period)
    return min(there, start * (100 - wish.down_percent) // 100)


def _at_start(there: int, past: Sequence[Look], now: float, period: float) -> int:
    """Return how many there were as the period began, by the last look before; not an old one."""
    before = [one.current for one in past if period <= now - one.at < 2 * period]
    within = [one.current for one in past if now - one.at < period]
    return (before[-1:] or within[:1] or [there])[0]


def _remembered(wish: ScalingSpec, looks: tuple[Look, ...], now: float) -> tuple[Look, ...]:
    """Forget what no later decision can need."""
    span = max(wish.stabilisation, 2 * wish.up_period, 2 * wish.down_period)
    return tuple(one for one in looks if now - one.at < span)
