"""Trying again what may pass, and giving up with a sentence."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from agent.errors import ActionError
from agent.weights.trouble import Asked, explain

T = TypeVar("T")
DELAYS = (2.0, 5.0, 15.0, 30.0, 60.0, 60.0)  # seconds between two tries
# The Hub counts requests in windows of five minutes and says how long the current one lasts.
LONGEST = 330.0


def patiently(
    call: Callable[[], T],
    asked: Asked,
    say: Callable[[str], None],
    pause: Callable[[float], None],
    delays: Sequence[float] = DELAYS,
) -> T:
    """Return what `call` returns; raise `ActionError` once trying again is of no use."""
    for delay in (*delays, None):
        try:
            return call()
        except ActionError:  # a sentence already
            raise
        except Exception as error:
            trouble = explain(error, asked)
            if not trouble.passing or delay is None:
                raise ActionError(trouble.sentence) from error
            wait = max(delay, min(trouble.after, LONGEST))
            say(f"{trouble.sentence}; trying again in {wait:.0f} s")
            pause(wait)
    raise AssertionError  # the last delay is None
