"""A FleetLock server with a real etcd behind it, for the hosts of a sandbox fleet."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.agent.brake.etcd import Etcd, EtcdFleetLock
from tests.sandbox import tools

_T = TypeVar("_T")
LOOK = 0.1  # seconds between two looks at who holds a slot


class Brake:
    """What a test sees of the server, and does to it. `seen`: all sets of holders, in order."""

    def __init__(self, lock: EtcdFleetLock, etcd: Etcd, loop: asyncio.AbstractEventLoop) -> None:
        self._lock, self._etcd, self._loop = lock, etcd, loop
        self.seen: list[tuple[str, ...]] = []

    @property
    def url(self) -> str:
        return self._lock.url

    def holders(self, group: str) -> list[str]:
        """Return who holds a slot now."""
        return self._wait(self._lock.holders(group))

    def kill(self) -> None:
        """Kill the store, so that the server answers 503."""
        self._etcd.kill()

    def start(self) -> None:
        """Start the store again, with what it had."""
        self._wait(self._etcd.start())

    def _wait(self, what: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(40)

    async def watch(self, group: str) -> None:
        """Note who holds a slot, until cancelled."""
        while True:
            try:
                now = tuple(sorted(await self._lock.holders(group)))
            except Exception:  # the store is killed in some tests
                now = self.seen[-1] if self.seen else ()
            if self.seen[-1:] != [now]:
                self.seen.append(now)
            await asyncio.sleep(LOOK)


@contextmanager
def brake(directory: Path, address: str, slots: Mapping[str, int]) -> Iterator[Brake]:
    """Give a server at `address` with so many slots of each group."""
    tools.ensure("etcd")
    loop = asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()
    made: list[Brake] = []

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            etcd = await stack.enter_async_context(Etcd(directory))
            lock = EtcdFleetLock(etcd.url, slots, address=address)
            await stack.enter_async_context(lock)
            made.append(Brake(lock, etcd, loop))
            watching = [asyncio.create_task(made[0].watch(group)) for group in slots]
            ready.set()
            await over.wait()
            for one in watching:
                one.cancel()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(40), "the FleetLock server does not come up"
    try:
        yield made[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(20)
        loop.close()
