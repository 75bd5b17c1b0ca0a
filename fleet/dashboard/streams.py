"""Tells browsers that something changed, by server-sent events; what it is they ask for."""

import asyncio

from aiohttp import web

from agent.replies import RefusedError
from agent.sse import HEADERS, KEEP_ALIVE, PATIENCE, RETRY

CLIENTS = 64
PAUSE = 0.5  # seconds between two events of one stream


class Turns:
    """Counts the changes; whoever waits for the next one is woken."""

    def __init__(self) -> None:
        self._count = 0
        self._next = asyncio.Event()

    @property
    def count(self) -> int:
        """How many there were."""
        return self._count

    def turn(self) -> None:
        """Something changed."""
        self._count += 1
        woken, self._next = self._next, asyncio.Event()
        woken.set()

    async def after(self, count: int) -> None:
        """Wait until there were more than `count`."""
        while self._count <= count:
            await self._next.wait()


class Streams:
    """All open streams."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """End all streams."""
        for task in self._open:
            task.cancel()

    async def stream(self, request: web.Request, turns: Turns) -> web.StreamResponse:
        """Answer with an event `snapshot` now and after every change, until the client goes."""
        if len(self._open) >= CLIENTS:
            raise RefusedError(503, "as many streams of events as there may be are open already")
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(request)
        task = asyncio.create_task(_tell(response, turns))
        self._open.add(task)
        try:
            await task
        except (ConnectionError, TimeoutError):
            pass
        except asyncio.CancelledError:
            if not task.cancelled():  # it is this handler that shall end, not the stream
                task.cancel()
                raise
        finally:
            self._open.discard(task)
        return response


async def _tell(response: web.StreamResponse, turns: Turns) -> None:
    text = f"retry: {RETRY}\nevent: snapshot\ndata: {{}}\n\n"
    while True:
        seen = turns.count
        async with asyncio.timeout(PATIENCE):
            await response.write(text.encode())
        await asyncio.sleep(PAUSE)
        try:
            async with asyncio.timeout(KEEP_ALIVE):
                await turns.after(seen)
            text = "event: snapshot\ndata: {}\n\n"
        except TimeoutError:
            text = ": still here\n\n"
