"""The rungs that were begun, and what became of them; they lie on disk. Pure.

An act that was cut off counts as failed, unless a new boot proves a reboot. Nothing is forgotten
before a week has passed, whatever the clock does.
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec.structs import replace

from agent.model import Remedy, Value

DAY, WEEK = 86_400.0, 7 * 86_400.0
GOING_DOWN = 300.0  # seconds that a host may take to go down


class Outcome(StrEnum):
    """What became of an attempt. FAILED: not carried out, or the fault stood or came back after."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Attempt(Value, frozen=True, kw_only=True):
    """One rung that was begun. `subject` as in its step; `boot` that of its beginning."""

    rung: Remedy
    subject: str
    reason: str
    began: float
    boot: str
    ended: float | None = None
    outcome: Outcome = Outcome.RUNNING
    message: str = ""


def recent(attempts: Iterable[Attempt], now: float) -> tuple[Attempt, ...]:
    """Forget what no budget counts any more."""
    return tuple(one for one in attempts if now - one.began < WEEK)


def running(attempts: Iterable[Attempt]) -> Attempt | None:
    """Return the attempt under way; there is one at most."""
    return next((one for one in attempts if one.outcome is Outcome.RUNNING), None)


def today(one: Attempt, now: float) -> Attempt:
    """Take an instant in the future (the clock stepped back) for now: else it would never pass."""
    ended = None if one.ended is None else min(one.ended, now)
    return replace(one, began=min(one.began, now), ended=ended)


def closed(one: Attempt, boot: str, now: float) -> Attempt:
    """Return an attempt that nobody carries out any more as what became of it.

    The agent was restarted meanwhile: a reboot is known by the new boot, and may still come for
    a while; whether a reset had ended is not known, so it counts as failed and is not repeated.
    """
    if one.outcome is not Outcome.RUNNING:
        return one
    if one.rung is Remedy.REBOOT and one.boot != boot:
        return replace(one, outcome=Outcome.DONE, ended=now)
    if one.rung is Remedy.REBOOT and now - one.began < GOING_DOWN:
        return one
    message = "the host did not go down" if one.rung is Remedy.REBOOT else "the agent ended in it"
    return replace(one, outcome=Outcome.FAILED, ended=now, message=message)
