"""Says what is being done, and how long it took, for everything that a person waits for."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Say = Callable[[str], None]

_started = time.monotonic()
_lock = threading.Lock()


def say(line: str) -> None:
    """Print one line with the seconds since the start."""
    with _lock:
        print(f"[{time.monotonic() - _started:6.1f}s] {line}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str, out: Say = say) -> Iterator[None]:
    """Announce `what`, and say when it is done if that took over a second."""
    out(f"{what} ...")
    begun = time.monotonic()
    yield
    took = time.monotonic() - begun
    if took > 1:
        out(f"{what}: done in {took:.1f} s")


def wait_until(ready: Callable[[], bool], deadline: float, every: float = 0.25) -> bool:
    """Ask `ready` until it says yes or `deadline` seconds have passed; tell which."""
    end = time.monotonic() + deadline
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
