"""The dashboard's pages: the fleet at `/`, each node at `/nodes/NAME/`, all from this machine.

The browser talks to the dashboard alone. Each node is asked by a task of its own, so one that
hangs delays nothing; what a node's page needs beside is asked for when somebody looks at it.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from msgspec import Struct

from agent.page import static
from agent.replies import Handler, RefusedError, answer, sentences
from fleet.dashboard import addressed
from fleet.dashboard.rows import Row, ordered
from fleet.dashboard.streams import Streams, Turns
from fleet.dashboard.targets import Fleet
from fleet.dashboard.watch import Fetch, Watcher

EVERY = 2.0  # seconds between two questions to a node
PER_SECOND = 50  # nodes asked within a second, at most: of a large fleet each is asked less often
MOST = 16 * 2**20  # bytes of one answer
ALSO = {  # what else a node's page has links to
    "history": "/v1/history",
    "status": "/v1/status",
    "incidents": "/v1/incidents?state=all",
}


class FleetView(Struct, frozen=True, kw_only=True):
    """What the fleet page shows: the worst node first; `at` seconds since 1970."""

    inventory: str
    at: float
    nodes: tuple[Row, ...]


class Dashboard:
    """All watchers, and what tells the browsers."""

    def __init__(self, fleet: Fleet, fetch: Fetch) -> None:
        self.inventory, self.streams, self.turns = fleet.inventory, Streams(), Turns()
        self.of = {one.name: Turns() for one in fleet.targets}
        self.watchers = {
            one.name: Watcher(one, fetch, lambda name=one.name: self._turned(name))  # type: ignore[misc]
            for one in fleet.targets
        }

    @property
    def view(self) -> FleetView:
        """The fleet as it is known now."""
        rows = ordered(one.row for one in self.watchers.values())
        return FleetView(inventory=self.inventory, at=time.time(), nodes=rows)

    @contextlib.asynccontextmanager
    async def watching(self, every: float = EVERY) -> AsyncIterator[None]:
        """Ask all nodes, until the end."""
        every = max(every, len(self.watchers) / PER_SECOND)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one.watch(every)) for one in self.watchers.values()]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    def _turned(self, name: str) -> None:
        self.of[name].turn()
        self.turns.turn()


def application(dashboard: Dashboard, listen: str = "127.0.0.1") -> web.Application:
    """Return the HTTP application, which is served at the address `listen`."""
    files = static.read()
    app = web.Application(middlewares=[sentences, addressed.to(listen)])

    async def fleet(_: web.Request) -> web.Response:
        return _packed(answer(200, dashboard.view))

    async def events(request: web.Request) -> web.StreamResponse:
        return await dashboard.streams.stream(request, dashboard.turns)

    async def node(request: web.Request) -> web.Response:
        _watcher(dashboard, request)
        return static.send(request, files["node.html"])

    async def page(request: web.Request) -> web.Response:
        watcher = _watcher(dashboard, request)
        if watcher.page is None:
            raise RefusedError(503, watcher.sentence or f"{watcher.target.name} is being asked")
        return _packed(answer(200, watcher.page))

    async def node_events(request: web.Request) -> web.StreamResponse:
        name = _watcher(dashboard, request).target.name
        return await dashboard.streams.stream(request, dashboard.of[name])

    async def close(_: web.Application) -> None:
        dashboard.streams.close()

    app.router.add_get("/", static.one(files["fleet.html"]))
    app.router.add_get("/page/{name}", static.any_of(files))
    app.router.add_get("/v1/fleet", fleet)
    app.router.add_get("/v1/events", events)
    app.router.add_get("/nodes/{node}/", node)
    app.router.add_get("/nodes/{node}/page/{name}", static.any_of(files))
    app.router.add_get("/nodes/{node}/v1/page", page)
    app.router.add_get("/nodes/{node}/v1/events", node_events)
    app.router.add_get("/nodes/{node}/v1/{what}", _also(dashboard))
    app.on_shutdown.append(close)
    return app


def _also(dashboard: Dashboard) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        watcher, what = _watcher(dashboard, request), request.match_info["what"]
        if what not in ALSO:
            raise RefusedError(404, f"{what!r} is not passed on; ask the agent of the node itself")
        try:
            status, body = await watcher.also(ALSO[what])
        except (OSError, TimeoutError) as error:
            why = watcher.sentence or str(error) or "it gave no answer in time"
            raise RefusedError(503, why) from error
        kept = {"X-Content-Type-Options": "nosniff"}
        return _packed(
            web.Response(status=status, body=body, content_type="application/json", headers=kept)
        )

    return handle


def _watcher(dashboard: Dashboard, request: web.Request) -> Watcher:
    name = request.match_info["node"]
    if name not in dashboard.watchers:
        raise RefusedError(404, f"no node {name!r} in {dashboard.inventory}")
    return dashboard.watchers[name]


def _packed(response: web.Response) -> web.Response:
    response.enable_compression()
    return response


def fetcher(http: aiohttp.ClientSession) -> Fetch:
    """Return the real `Fetch`: plain GETs, no redirect is followed, no answer is endless."""

    async def fetch(url: str) -> tuple[int, bytes]:
        try:
            async with http.get(url, allow_redirects=False) as found:
                body = bytearray()
                async for part in found.content.iter_chunked(2**16):
                    body += part
                    if len(body) > MOST:
                        raise ConnectionError("its answer does not end")
                return found.status, bytes(body)
        except aiohttp.ClientConnectorError as error:
            raise ConnectionError(f"{error.host}:{error.port}: {_words(error.os_error)}") from error
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        except UnicodeError as error:  # its host is no name that can be looked up
            raise ConnectionError(f"{url}: {error}") from error

    return fetch


def _words(error: OSError) -> str:
    """Return what the system says: asyncio puts words of its own before it."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error)
    return os.strerror(error.errno)
