"""A decision as a sentence. Pure."""

from agent.scaling_spec import ScalingSpec
from fleet.scaling.course import Decision

LIMITS = {
    "min": "scaling_min = {wish.min}",
    "max": "scaling_max = {wish.max}",
    "rate": "no faster than scaling_up_percent, scaling_up_replicas, scaling_down_percent",
    "window": "more were asked for within the last {wish.stabilisation:g} s",
    "unknown": "none is taken away while somebody is unknown",
}


def sentence(made: Decision, wish: ScalingSpec) -> str:
    """Return why so many are wanted."""
    parts = [_asked(made, wish)]
    if made.limit in LIMITS:
        parts.append(LIMITS[made.limit].format(wish=wish))
    others = [
        f"{number} {what}"
        for number, what in (
            (made.unknown, "unknown"),
            (made.unready, "not ready"),
            (made.gone, "in quarantine, not counted"),
        )
        if number
    ]
    return "; ".join([*parts, *([", ".join(others)] if others else [])])


def _asked(made: Decision, wish: ScalingSpec) -> str:
    asked = made.asked
    if asked.replicas is None:
        return "nobody tells how many requests wait, so nothing changes"
    each = asked.total / asked.measured
    text = (
        f"{asked.total} request(s) wait in {asked.measured} replica(s), {each:.3g} on average, "
        f"{wish.target_queue:g} are the target"
    )
    if asked.within:
        return f"{text}: near enough"
    return f"{text}: that asks for {asked.replicas}"
