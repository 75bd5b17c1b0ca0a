"""Telling how far a download is, now and then, by looking at the disk."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.weights.plan import amount

FIRST, LONGEST = 5.0, 30.0  # seconds to the first line, and at most between two


@contextmanager
def told(directory: Path, total: int, say: Callable[[str], None]) -> Iterator[None]:
    """Say now and then how many of `total` bytes are in `directory`, while the block runs.

    Often at first, then more rarely: an operator who waits wants a sign, a log of hours no noise.
    """
    over = threading.Event()

    def tell() -> None:
        before, then, rest = size(directory), time.monotonic(), FIRST
        while not over.wait(rest):
            done, now = size(directory), time.monotonic()
            say(line(done, total, (done - before) / (now - then)))
            before, then, rest = done, now, min(2 * rest, LONGEST)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def line(done: int, total: int, rate: float) -> str:
    """Return a line of progress; `rate` in bytes a second."""
    share = 100 * done // total if total else 100
    return (
        f"fetched {amount(done)} of {amount(total)} ({min(share, 100)} %), {amount(max(rate, 0))}/s"
    )


def size(directory: Path) -> int:
    """Return the bytes of all files below `directory`, those that come and go included."""
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # renamed while we looked
    return total
