"""What the agent serves over HTTP: reads only, all from the published snapshot, no I/O.

`/livez`      the loop turns (200) or not (503)
`/readyz`     route traffic here? 200 or 503 with the reason; `?engine=NAME` asks about one
`/v1/status`  everything, as JSON
`/metrics`    the same for Prometheus
"""

import time
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from agent import metrics
from agent.model import Phase
from agent.snapshot import Published

PUBLISHED = web.AppKey("published", Published)
STALE = web.AppKey("stale", float)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(published: Published, tick: float) -> web.Application:
    """Return the HTTP application; `tick` is the period of the loop in seconds."""
    app = web.Application()
    app[PUBLISHED] = published
    app[STALE] = max(10.0, 5 * tick)
    app.router.add_get("/livez", _livez)
    app.router.add_get("/readyz", _readyz)
    app.router.add_get("/v1/status", _status)
    app.router.add_get("/metrics", _metrics)
    return app


async def _livez(request: web.Request) -> web.Response:
    snapshot = request.app[PUBLISHED].latest
    if snapshot is None:
        return _plain(503, "Starting: no tick has ended yet")
    age = time.time() - snapshot.at
    if age > request.app[STALE]:
        return _plain(503, f"Stale: the last tick ended {age:.0f} s ago")
    return _plain(200, "Ok")


async def _readyz(request: web.Request) -> web.Response:
    snapshot = request.app[PUBLISHED].latest
    if snapshot is None:
        return _plain(503, "Starting: no tick has ended yet")
    name = request.query.get("engine")
    if name is None:
        serving = snapshot.phase is Phase.SERVING
        text = f"{snapshot.phase} {snapshot.reason}: {snapshot.message}"
        return _plain(200 if serving else 503, text)
    if name not in snapshot.engines:
        return _plain(404, f"no engine {name!r}; there are {', '.join(snapshot.engines)}")
    state = snapshot.engines[name].state
    serving = state.phase is Phase.SERVING
    return _plain(200 if serving else 503, f"{state.phase} {state.reason}: {state.message}")


async def _status(request: web.Request) -> web.Response:
    snapshot = request.app[PUBLISHED].latest
    if snapshot is None:
        return _plain(503, "Starting: no tick has ended yet")
    return web.Response(body=msgspec.json.encode(snapshot), content_type="application/json")


async def _metrics(request: web.Request) -> web.Response:
    body = metrics.exposition(request.app[PUBLISHED].latest)
    return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE})


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n")
