"""Whether somebody is to be told a decision, and what is remembered of it. Pure.

An answer is told once. One that could not be told is tried again, with a pause that doubles, up to
TRIES times; then it is left until the answer changes.
"""

import hashlib

import msgspec

from fleet.scaling.course import Look

TRIES = 5
PAUSE = 15.0  # seconds before the second try


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, and how far it came. `id` is the event's, the same at each try."""

    desired: int
    id: str
    done: bool = False
    tries: int = 0
    tried: float = 0.0
    problem: str = ""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one model from look to look; `told` by the way of telling."""

    looks: tuple[Look, ...] = ()
    told: dict[str, Told] = {}


def answer(before: Told | None, model: str, current: int, desired: int, now: float) -> Told | None:
    """Return what is to be told by one way; None = nothing is wanted."""
    if desired == current:
        return None
    if before is not None and before.desired == desired:
        return before
    short = hashlib.sha256(model.encode()).hexdigest()[:8]  # an id goes into a header
    return Told(desired=desired, id=f"scale-{short}-{int(now)}-{desired}")


def due(told: Told | None, now: float) -> bool:
    """Tell whether it is time to try."""
    if told is None or told.done or told.tries >= TRIES:
        return False
    return not told.tries or now - told.tried >= PAUSE * 2.0 ** (told.tries - 1)


def after(told: Told, problem: str, now: float) -> Told:
    """Return what is remembered of a try; without a problem it was the last."""
    return msgspec.structs.replace(
        told, done=not problem, tries=told.tries + 1, tried=now, problem=problem
    )


def outcome(told: Told | None) -> str:
    """Return a few words on how far it came; "" = nothing to tell."""
    if told is None or not told.tries:
        return ""
    if told.done:
        return "told"
    if told.tries >= TRIES:
        return f"given up after {told.tries} tries: {told.problem}"
    return f"try {told.tries} of {TRIES}: {told.problem}"
