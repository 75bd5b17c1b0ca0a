"""What the agent serves over HTTP: reads only, all from the published snapshot, no I/O.

`/`                 the status page, see `agent.page`; its files under `/page/`
`/livez`            the loop turns (200) or not (503)
`/readyz`           route traffic here, for all its models? 200 or 503; `?engine=NAME` asks of one
`/v1/status`        everything, as JSON
`/v1/incidents`     the open ones; `?state=open|closed|all`; `/v1/incidents/ID` one of them
`/v1/gpus`          each GPU with what is about it; `/v1/gpus/UUID` one of them
`/v1/events`        server-sent events, see `agent.sse`
`/v1/page`          what the page shows; `/v1/history` the last quarter of an hour in numbers
`/metrics`          for Prometheus
`/openapi.json`     this list, exactly

An error is `{"error": "one sentence"}`; the first two answer in plain text for balancers.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from aiohttp import web

from agent import documents, metrics, openapi
from agent.counters import Counters
from agent.documents import Incidents
from agent.news import News, news
from agent.page import document as pages
from agent.page import static
from agent.page.history import Sample, fold, history
from agent.replies import Handler, RefusedError, answer, expect, sentences
from agent.snapshot import EngineView, Published, Snapshot
from agent.sse import CLIENTS, HEADERS, Feed

NOT_YET = "Starting: no tick has ended yet"
FILES = static.read()
STATES = ("open", "closed", "all")


class Reads:
    """What the applications of a process share; made once, before the first snapshot.

    `tick` is the period of the loop in seconds; `tell` hears all news too (the webhook).
    """

    def __init__(
        self,
        published: Published,
        tick: float,
        tell: Sequence[Callable[[News], None]] = (),
        feed: Feed | None = None,
    ) -> None:
        self.published, self.stale = published, max(10.0, 5 * tick)
        self.feed, self.counters, self._tell = feed or Feed(), Counters(), tell
        self.samples: tuple[Sample, ...] = ()
        published.listen(self._take)

    def _take(self, before: Snapshot | None, after: Snapshot) -> None:
        told = news(before, after)
        self.samples = fold(self.samples, after)
        self.counters.take(told, before, after)
        self.feed.take(told)
        for tell in self._tell:
            for one in told:
                tell(one)


READS = web.AppKey("reads", Reads)


def application(reads: Reads, document: bytes = openapi.READS) -> web.Application:
    """Return the HTTP application; `document` is what `/openapi.json` answers."""
    app = web.Application(middlewares=[sentences])
    app[READS] = reads
    app.router.add_get("/", static.one(FILES["node.html"]))
    app.router.add_get("/page/{name}", static.any_of(FILES))
    app.router.add_get("/livez", _livez)
    app.router.add_get("/readyz", _readyz)
    app.router.add_get("/v1/status", _fed(lambda snapshot, _: snapshot))
    app.router.add_get("/v1/incidents", _fed(_incidents, "state"))
    app.router.add_get("/v1/incidents/{id}", _fed(_incident))
    app.router.add_get("/v1/gpus", _fed(lambda snapshot, _: documents.gpus(snapshot)))
    app.router.add_get("/v1/gpus/{uuid}", _fed(_gpu))
    app.router.add_get("/v1/events", _events)
    app.router.add_get("/v1/page", _page)
    app.router.add_get("/v1/history", _history)
    app.router.add_get("/metrics", _metrics)
    app.router.add_get("/openapi.json", _document(document))
    app.on_shutdown.append(_close)
    return app


async def _livez(request: web.Request) -> web.Response:
    reads = request.app[READS]
    if reads.published.latest is None:
        return _plain(503, NOT_YET)
    age = time.time() - reads.published.latest.at
    if age > reads.stale:
        return _plain(503, f"Stale: the last tick ended {age:.0f} s ago")
    return _plain(200, "Ok")


async def _readyz(request: web.Request) -> web.Response:
    snapshot = request.app[READS].published.latest
    if snapshot is None:
        return _plain(503, NOT_YET)
    name = request.query.get("engine")
    if name is None:
        text = f"{snapshot.phase} {snapshot.reason}: {snapshot.message}"
        return _ready(snapshot.models.values(), text)
    if name not in snapshot.engines:
        return _plain(404, f"no engine {name!r}; there are {', '.join(snapshot.engines)}")
    state = snapshot.engines[name].state
    return _ready(
        [{name: snapshot.engines[name]}], f"{state.phase} {state.reason}: {state.message}"
    )


def _ready(models: Collection[Mapping[str, EngineView]], text: str) -> web.Response:
    """Answer 200 if new requests get through to each model."""
    engines = [one for views in models for one in views.values()]
    stuck = next((f"GateStuck: {one.gate_problem}" for one in engines if one.gate_problem), "")
    served = all(any(one.serving for one in views.values()) for views in models)
    return _plain(503 if stuck or not served else 200, stuck or text)


def _fed(read: Callable[[Snapshot, web.Request], object], *known: str) -> Handler:
    """Return a handler that answers with what `read` finds in the snapshot."""

    async def handle(request: web.Request) -> web.Response:
        expect(request, *known)
        return answer(200, read(_latest(request), request))

    return handle


def _incidents(snapshot: Snapshot, request: web.Request) -> Incidents:
    state = request.query.get("state", "open")
    if state not in STATES:
        raise RefusedError(400, f"state = {state!r}: use one of {', '.join(STATES)}")
    opened = snapshot.incidents if state != "closed" else ()
    closed = snapshot.incidents_closed if state != "open" else ()
    return Incidents(incidents=(*closed, *opened))


def _incident(snapshot: Snapshot, request: web.Request) -> object:
    wanted = request.match_info["id"]
    for one in (*snapshot.incidents, *snapshot.incidents_closed):
        if one.id == wanted:
            return one
    names = ", ".join(one.id for one in snapshot.incidents) or "none"
    raise RefusedError(404, f"no incident {wanted!r} is known; open: {names}")


def _gpu(snapshot: Snapshot, request: web.Request) -> object:
    wanted, known = request.match_info["uuid"], documents.gpus(snapshot).gpus
    for one in known:
        if one.uuid == wanted:
            return one
    names = ", ".join(one.uuid for one in known) or "none"
    raise RefusedError(404, f"no GPU {wanted!r} here; there are: {names}")


async def _page(request: web.Request) -> web.Response:
    expect(request)
    return answer(200, pages.page(_latest(request), time.time(), request.app[READS].stale))


async def _history(request: web.Request) -> web.Response:
    expect(request)
    return answer(200, history(request.app[READS].samples))


async def _events(request: web.Request) -> web.StreamResponse:
    expect(request)
    feed, snapshot = request.app[READS].feed, _latest(request)
    if feed.clients >= CLIENTS:
        raise RefusedError(503, "as many streams of events as there may be are open already")
    if request.method == "HEAD":
        return web.Response(headers=HEADERS)
    return await feed.stream(request, snapshot)


async def _metrics(request: web.Request) -> web.Response:
    reads = request.app[READS]
    body = metrics.exposition(reads.published.latest, reads.counters)
    return web.Response(body=body, headers={"Content-Type": metrics.CONTENT_TYPE})


def _document(document: bytes) -> Handler:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    return handle


async def _close(app: web.Application) -> None:
    app[READS].feed.close()


def _latest(request: web.Request) -> Snapshot:
    snapshot = request.app[READS].published.latest
    if snapshot is None:
        raise RefusedError(503, NOT_YET)
    return snapshot


def _plain(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n")
