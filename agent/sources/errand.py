"""Something asked beside the looks: at most one at a time, and no look waits long for it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Errand(Generic[T]):
    """`ask` must end by itself, and turn its failures into a value."""

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._ask = ask
        self._task: asyncio.Task[T] | None = None

    @property
    def under_way(self) -> bool:
        """Whether it has been asked, and nothing has come back."""
        return self._task is not None and not self._task.done()

    def send(self) -> bool:
        """Ask, and return True; False where what was asked before has not been fetched yet."""
        if self._task is not None:
            return False
        self._task = asyncio.create_task(self._ask())
        return True

    async def fetch(self, wait: float = 0.0) -> T | None:
        """Return what came back, once; None when nothing has within `wait` seconds."""
        if self._task is None:
            return None
        await asyncio.wait([self._task], timeout=wait)
        if not self._task.done():
            return None
        task, self._task = self._task, None
        return task.result()

    def forget(self) -> None:
        """Give up what is under way, and what came back."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
