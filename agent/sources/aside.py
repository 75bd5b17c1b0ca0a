"""Calls that may hang for ever, each made in a thread that nobody has to wait for."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Aside:
    """Makes one call a key at a time: while one hangs, no second thread is spent on its like.

    The threads of an executor would be waited for when the process ends; these are not.
    """

    def __init__(self) -> None:
        self._calls: dict[str, asyncio.Future[Any]] = {}

    async def call(self, key: str, function: Callable[[], T], deadline: float) -> T:
        """Return what `function` returns; `TimeoutError` after `deadline` seconds.

        A call that hung before is not waited for again; when it has ended, its result is returned.
        """
        hangs = key in self._calls
        if not hangs:
            self._calls[key] = _started(key, function)
        done, _ = await asyncio.wait({self._calls[key]}, timeout=0 if hangs else deadline)
        if not done:
            raise TimeoutError
        return cast("T", self._calls.pop(key).result())


def _started(name: str, function: Callable[[], T]) -> asyncio.Future[T]:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = function()
        except Exception as error:
            _tell(future.set_exception, error)
        else:
            _tell(future.set_result, result)

    def _tell(how: Callable[[Any], None], what: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(how, what)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
