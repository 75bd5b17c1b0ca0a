"""SGLang's HTTP routes."""

from argparse import Namespace
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ...serving import openai
from ...serving.front import FRONT, generate, models
from ...serving.ranks import Ranks
from . import VERSION
from .books import Books
from .health import Health

_OPEN = ("/health", "/ready", "/metrics")


@dataclass(frozen=True)
class Server:
    """What the routes need beside the front."""

    args: Namespace
    books: Books
    health: Health
    ranks: Ranks


SERVER = web.AppKey("server", Server)


def application(*, metrics: bool) -> web.Application:
    """The routes; /metrics only where it was asked for."""
    app = web.Application(middlewares=[_counted, _keyed], client_max_size=64 << 20)
    app.add_routes(
        [
            web.get("/health", _health),
            web.get("/health_generate", _health),
            web.get("/ready", _ready),
            web.get("/ping", _ready),
            web.get("/v1/loads", _loads),
            web.get("/model_info", _model_info),
            web.get("/get_model_info", _model_info),
            web.get("/server_info", _server_info),
            web.get("/get_server_info", _server_info),
            web.get("/v1/models", _models),
            web.post("/v1/chat/completions", generate),
            web.post("/v1/completions", generate),
        ]
    )
    if metrics:
        app.add_routes([web.get("/metrics", _metrics)])
    return app


async def _health(request: web.Request) -> web.Response:
    well = await request.app[SERVER].health.probe(request.app[FRONT].stepper)
    return web.Response(status=200 if well else 503)


async def _ready(request: web.Request) -> web.Response:
    return web.Response(status=200 if request.app[SERVER].health.ready else 503)


async def _loads(request: web.Request) -> web.Response:
    stepper = request.app[FRONT].stepper
    running = len(stepper.jobs) - stepper.waiting
    load = {
        "dp_rank": 0,
        "num_running_reqs": running,
        "num_waiting_reqs": stepper.waiting,
        "num_total_reqs": len(stepper.jobs),
    }
    return web.json_response({"version": VERSION, "dp_rank_count": 1, "loads": [load]})


async def _model_info(request: web.Request) -> web.Response:
    path = request.app[SERVER].args.model_path
    return web.json_response(
        {"model_path": path, "tokenizer_path": path, "is_generation": True, "model_type": "llama"}
    )


async def _server_info(request: web.Request) -> web.Response:
    server = request.app[SERVER]
    await server.ranks.call("step", seconds=0, death="")  # it hangs with the scheduler
    args = {name: value for name, value in vars(server.args).items() if "api_key" not in name}
    return web.json_response(args | {"version": VERSION, "internal_states": [{}]})


async def _metrics(request: web.Request) -> web.Response:
    return web.Response(text=request.app[SERVER].books.text(), content_type="text/plain")


async def _models(request: web.Request) -> web.Response:
    root = request.app[SERVER].args.model_path
    return web.json_response(models(request.app[FRONT], "sglang", root))


@web.middleware
async def _counted(request: web.Request, handler: Any) -> web.StreamResponse:
    books, status = request.app[SERVER].books, 499
    books.asked(request.path, request.method)
    try:
        response: web.StreamResponse = await handler(request)
        status = response.status
    except web.HTTPNotFound:
        status = 404
        return web.json_response({"detail": "Not Found"}, status=404)
    finally:
        books.answered(request.path, request.method, status)
    return response


@web.middleware
async def _keyed(request: web.Request, handler: Any) -> web.StreamResponse:
    key = request.app[SERVER].args.api_key
    if key is not None and not request.path.startswith(_OPEN):
        given = request.headers.get("Authorization", "")
        if given != f"Bearer {key}":
            body = openai.error(401, "Unauthorized", "AuthenticationError")
            return web.json_response(body, status=401)
    response: web.StreamResponse = await handler(request)
    return response
