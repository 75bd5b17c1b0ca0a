"""Waiting for what no event announces: another process, a file, a client that goes away."""

import asyncio
import time
from collections.abc import Callable

_PERIOD = 0.05  # seconds between two looks


async def until(condition: Callable[[], bool], seconds: float | None = None) -> bool:
    """Wait for the condition, at most so long; whether it came true."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while not condition():
        if deadline is not None and time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_PERIOD)
    return True
