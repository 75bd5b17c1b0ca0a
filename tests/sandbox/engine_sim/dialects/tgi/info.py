"""The routes that generate nothing: health, info, models, metrics, tokenize, docs."""

from typing import Any

from aiohttp import web

from ...words import split
from . import body, chat, completions, native
from .errors import InferError
from .site import SITE, body_of, count_request, json_answer


async def health(request: web.Request) -> web.StreamResponse:
    """GET /, /health, /ping: asks the shards, with no time limit and no look at the queue."""
    site = request.app[SITE]
    if site.scheduler.last_generation_ok:
        healthy = await site.shards.last("health")
    else:
        # After a failed generation only a real prefill counts; it restores the cheap way.
        healthy = await site.shards.last("prefill")
        site.scheduler.last_generation_ok = healthy
    if not healthy:
        raise InferError(503, "healthcheck", "unhealthy")
    return web.Response()


async def info(request: web.Request) -> web.StreamResponse:
    """GET /info."""
    return json_answer(request.app[SITE].info)


async def models(request: web.Request) -> web.StreamResponse:
    """GET /v1/models: the one model."""
    model = {
        "id": request.app[SITE].model_id,
        "object": "model",
        "created": 0,
        "owned_by": request.app[SITE].model_id,
    }
    return json_answer({"object": "list", "data": [model]})


async def metrics(request: web.Request) -> web.StreamResponse:
    """GET /metrics: Prometheus text, on the API port."""
    return web.Response(text=request.app[SITE].metrics.exposition(), content_type="text/plain")


async def tokenize(request: web.Request) -> web.StreamResponse:
    """POST /tokenize: the prompt's tokens."""
    content = await body_of(request)
    return json_answer(_pieces(body.native(content, "").inputs))


async def chat_tokenize(request: web.Request) -> web.StreamResponse:
    """POST /chat_tokenize: the templated prompt and its tokens."""
    site = request.app[SITE]
    count_request(site)
    text = chat.prompt_of(site, await body_of(request))
    return json_answer({"tokenize_response": _pieces(text), "templated_text": text})


async def invocations(request: web.Request) -> web.StreamResponse:
    """POST /invocations: one of the three request kinds, by its fields."""
    content = await body_of(request)
    if "messages" in content:
        return await chat.answer(request, content)
    if "prompt" in content:
        return await completions.answer(request, content)
    if content.get("stream"):
        return await native.answer_streamed(request, content)
    return await native.answer_whole(request, content, in_list=True)


async def openapi(_request: web.Request) -> web.StreamResponse:
    """GET /api-doc/openapi.json: the routes, without their schemas."""
    paths: dict[str, Any] = {path: {method.lower(): {}} for method, path, _ in ROUTES}
    return json_answer({"openapi": "3.0.3", "paths": paths})


async def docs(_request: web.Request) -> web.StreamResponse:
    """GET /docs."""
    return web.Response(text="<title>Swagger UI</title>", content_type="text/html")


def _pieces(text: str) -> list[dict[str, Any]]:
    return [vars(piece) for piece in split(text)]


ROUTES = (
    ("GET", "/", health),
    ("GET", "/health", health),
    ("GET", "/ping", health),
    ("GET", "/info", info),
    ("GET", "/metrics", metrics),
    ("GET", "/v1/models", models),
    ("GET", "/docs", docs),
    ("GET", "/api-doc/openapi.json", openapi),
    ("POST", "/", native.root),
    ("POST", "/generate", native.generate),
    ("POST", "/generate_stream", native.generate_stream),
    ("POST", "/vertex", native.vertex),
    ("POST", "/v1/chat/completions", chat.chat_completions),
    ("POST", "/v1/completions", completions.completions),
    ("POST", "/invocations", invocations),
    ("POST", "/tokenize", tokenize),
    ("POST", "/chat_tokenize", chat_tokenize),
)
"""Every route of the stock image."""
