"""Says what is being done, and how long it took, for everything that a person waits for."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

QUIET = 0.5  # seconds; what is faster than this is not worth a line
Say = Callable[[str], None]

_started = time.monotonic()
_lock = threading.Lock()


def say(line: str) -> None:
    """Print one line with the seconds since the start."""
    with _lock:
        print(f"[{time.monotonic() - _started:6.1f}s] {line}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str, out: Say = say) -> Iterator[None]:
    """Say that `what` is being done, and when it is done, if that takes over `QUIET` seconds."""
    begun = time.monotonic()
    announcement = threading.Timer(QUIET, out, [f"{what} ..."])
    announcement.daemon = True
    announcement.start()
    try:
        yield
    finally:
        announcement.cancel()
    took = time.monotonic() - begun
    if took > QUIET:
        out(f"{what}: done in {took:.1f} s")


def wait_until(ready: Callable[[], bool], deadline: float, every: float = 0.25) -> bool:
    """Ask `ready` until it says yes or `deadline` seconds have passed; tell which."""
    end = time.monotonic() + deadline
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
