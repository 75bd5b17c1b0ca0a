"""vLLM's HTTP routes. None but the completions asks the engine core anything."""

import os
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ...serving import openai
from ...serving.front import FRONT, generate, models
from . import VERSION
from .books import Books

_UNCOUNTED = ("/health", "/metrics")
_GUARDED = ("/v1", "/v2", "/inference", "/cohere")


@dataclass
class Server:
    """What the routes need beside the front."""

    books: Books
    model: str
    track_load: bool
    key: str | None
    dead: bool = False


SERVER = web.AppKey("server", Server)


def application() -> web.Application:
    """The routes, without what stands behind them."""
    app = web.Application(middlewares=[_counted, _keyed], client_max_size=64 << 20)
    app.add_routes(
        [
            web.get("/health", _health),
            web.get("/ping", _health),
            web.post("/ping", _health),
            web.get("/load", _load),
            web.get("/version", _version),
            web.get("/metrics", _metrics),
            web.get("/v1/models", _models),
            web.post("/v1/chat/completions", generate),
            web.post("/v1/completions", generate),
        ]
    )
    return app


def key_of(args: Any) -> str | None:
    """The API key: of the flag, else of the environment."""
    return args.api_key[0] if args.api_key else os.environ.get("VLLM_API_KEY")


async def _health(request: web.Request) -> web.Response:
    return web.Response(status=503 if request.app[SERVER].dead else 200)


async def _load(request: web.Request) -> web.Response:
    tracked = request.app[SERVER].track_load
    return web.json_response({"server_load": request.app[FRONT].open if tracked else 0})


async def _version(_request: web.Request) -> web.Response:
    return web.json_response({"version": VERSION})


async def _metrics(request: web.Request) -> web.Response:
    return web.Response(text=request.app[SERVER].books.text(), content_type="text/plain")


async def _models(request: web.Request) -> web.Response:
    return web.json_response(models(request.app[FRONT], "vllm", request.app[SERVER].model))


@web.middleware
async def _counted(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPNotFound:
        request.app[SERVER].books.answered("none", request.method, 404)
        return web.json_response({"detail": "Not Found"}, status=404)
    if request.path not in _UNCOUNTED:
        request.app[SERVER].books.answered(request.path, request.method, response.status)
    return response


@web.middleware
async def _keyed(request: web.Request, handler: Any) -> web.StreamResponse:
    key = request.app[SERVER].key
    if key is not None and request.path.startswith(_GUARDED):
        given = request.headers.get("Authorization", "")
        if given != f"Bearer {key}":
            body = openai.error(401, "Unauthorized", "AuthenticationError")
            return web.json_response(body, status=401)
    response: web.StreamResponse = await handler(request)
    return response
