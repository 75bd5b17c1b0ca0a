"""What reaches the runner from outside: a request to stop, the end of the container, the time."""

import queue
import time
from typing import Protocol

from agent.runner.course import Asked, Ended

# Python runs a signal's handler in the main thread, when that next runs Python at all; a signal
# that the kernel gave to another thread does not wake it.
SLICE = 1.0  # seconds


class Inbox(Protocol):
    """The fake, with its own clock: `tests/agent/docker_fake.py`."""

    @property
    def asked(self) -> bool:
        """True once somebody asked to stop."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def rest(self, seconds: float) -> None:
        """Sleep; return early when somebody asks to stop."""

    def next(self, timeout: float | None) -> Asked | Ended | None:
        """Return the next event; None when `timeout` seconds passed without one."""


class QueueInbox:
    """The real one. `ask` may be called in a signal handler, `ended` from any thread."""

    def __init__(self) -> None:
        # SimpleQueue.put is reentrant: safe in a signal handler.
        self._events: queue.SimpleQueue[Asked | Ended] = queue.SimpleQueue()
        self._asked = False

    @property
    def asked(self) -> bool:
        """See `Inbox`."""
        return self._asked

    def ask(self, *, haste: bool = False) -> None:
        """Somebody asks to stop."""
        self._asked = True
        self._events.put(Asked(haste))

    def ended(self, event: Ended) -> None:
        """Docker says that the container ended."""
        self._events.put(event)

    def now(self) -> float:
        """See `Inbox`."""
        return time.monotonic()

    def rest(self, seconds: float) -> None:
        """See `Inbox`."""
        deadline = time.monotonic() + seconds
        while not self._asked and time.monotonic() < deadline:
            time.sleep(0.05)

    def next(self, timeout: float | None) -> Asked | Ended | None:
        """See `Inbox`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = SLICE if deadline is None else min(SLICE, deadline - time.monotonic())
            try:
                return self._events.get(timeout=max(0.0, left))
            except queue.Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    return None
