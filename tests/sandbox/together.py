"""Runs a few slow calls at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def together(*calls: Callable[[], object]) -> None:
    """Make all `calls` at once and wait for them; the first failure in order is raised."""
    with ThreadPoolExecutor(max_workers=max(len(calls), 1)) as pool:
        for future in [pool.submit(call) for call in calls]:
            future.result()
