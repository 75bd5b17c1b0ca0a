"""The stream of events, `GET /v1/events`: server-sent events (WHATWG HTML, 9.2).

A stream begins with an event `snapshot`, then tells each piece of news as it happens; a comment
goes out every 15 s. Who sends `Last-Event-ID` gets what was missed, as far as the last 256 events
reach. Who reads too slowly gets an event `overflow` as the last one, and may resume.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable

import msgspec
from aiohttp import web

from agent.documents import summary
from agent.news import News
from agent.snapshot import Snapshot

KEPT = 256  # events that can be resumed from
CLIENTS = 16
QUEUED = 2 * KEPT  # events that wait for one client: all that it may resume with, and news
KEEP_ALIVE = 15.0  # seconds
PATIENCE = 30.0  # seconds that one write may take before the client is given up
RETRY = 2000  # milliseconds after which a client shall connect again
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold events back
}
_END = b"event: overflow\ndata: {}\n\n"


class _Client:
    """What still has to be told to one client; None = the stream ends."""

    def __init__(self, request: web.Request) -> None:
        self.request = request
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUED + 2)
        self.open = True

    def tell(self, text: bytes) -> None:
        if not self.open:
            return
        if self.queue.qsize() < QUEUED:
            self.queue.put_nowait(text)
            return
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(_END)
        self.end()

    def end(self) -> None:
        if self.open:
            self.open = False
            self.queue.put_nowait(None)


class Feed:
    """Keeps the latest events and passes them on to whoever listens."""

    def __init__(self, keep_alive: float = KEEP_ALIVE, patience: float = PATIENCE) -> None:
        self._keep_alive, self._patience = keep_alive, patience
        self._kept: deque[News] = deque(maxlen=KEPT)
        self._clients: set[_Client] = set()

    @property
    def clients(self) -> int:
        """How many listen; one whose connection has gone does not count."""
        return sum(one.request.transport is not None for one in self._clients)

    def take(self, told: Iterable[News]) -> None:
        """Pass on what has happened; never waits for a client."""
        for one in told:
            self._kept.append(one)
            text = _text(one)
            for client in self._clients:
                client.tell(text)

    def close(self) -> None:
        """End all streams."""
        for client in self._clients:
            client.end()

    async def stream(self, request: web.Request, snapshot: Snapshot) -> web.StreamResponse:
        """Answer with the stream, until the client goes, is too slow, or the agent ends."""
        response = web.StreamResponse(headers=HEADERS)
        client = _Client(request)
        self._begin(client, snapshot, request.headers.get("Last-Event-ID"))
        self._clients.add(client)
        try:
            await response.prepare(request)
            while (text := await self._next(client)) is not None:
                async with asyncio.timeout(self._patience):
                    await response.write(text)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass
        finally:
            self._clients.discard(client)
        with contextlib.suppress(ConnectionError):
            await response.write_eof()
        return response

    def _begin(self, client: _Client, snapshot: Snapshot, last: str | None) -> None:
        kept = list(self._kept)
        known = [at for at, one in enumerate(kept) if one.id == last]
        missed = kept[known[-1] + 1 :] if known else []
        # Without an id a client keeps the one it has: the next event's place is after that.
        place = f"id: {kept[-1].id}\n" if kept and not known else ""
        body = msgspec.json.encode(summary(snapshot, resumed=bool(known))).decode()
        head = f"retry: {RETRY}\n{place}event: snapshot\ndata: {body}\n\n"
        client.tell(head.encode())
        for one in missed:
            client.tell(_text(one))

    async def _next(self, client: _Client) -> bytes | None:
        try:
            async with asyncio.timeout(self._keep_alive):
                return await client.queue.get()
        except TimeoutError:
            return b": still here\n\n"


def _text(one: News) -> bytes:
    data = msgspec.json.encode(one).decode()
    return f"id: {one.id}\nevent: {one.kind}\ndata: {data}\n\n".encode()
