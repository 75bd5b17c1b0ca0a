"""What the HTTP handlers share, and the few things they all do."""

import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ...job import Token
from ...metrics import Metrics
from ...scheduler import Scheduler
from ...settings import Settings
from ...shard_client import Shards
from . import names
from .body import Generation, read_json
from .errors import BodyError, InferError
from .infer import Infer, Timing


@dataclass(frozen=True)
class Site:
    """The router behind the handlers."""

    infer: Infer
    scheduler: Scheduler
    shards: Shards
    metrics: Metrics
    settings: Settings
    info: Mapping[str, Any]
    has_chat_template: bool
    max_client_batch_size: int
    api_key: str | None

    @property
    def model_id(self) -> str:
        """The model's name as /info and /v1/models give it."""
        return str(self.info["model_id"])

    @property
    def fingerprint(self) -> str:
        """The ``system_fingerprint`` of OpenAI answers."""
        return f"{self.info['version']}-{self.info['docker_label'] or 'native'}"


SITE = web.AppKey("site", Site)


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON body; BodyError for one that is too long or cannot be read."""
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        text = "Failed to buffer the request body: length limit exceeded"
        raise BodyError(413, text) from error
    return read_json(request.headers.get("Content-Type", ""), body)


def request_id_of(request: web.Request, content: Mapping[str, Any]) -> str:
    """The client's name for its request, for the simulator's ledger; "" when it gave none."""
    return request.headers.get("X-Request-Id") or str(content.get("user") or "")


async def collect(site: Site, generation: Generation, timing: Timing) -> tuple[str, list[Token]]:
    """Run a request to its end: the whole text, and the tokens."""
    tokens: list[Token] = []
    async with aclosing(site.infer.generate(generation, timing, stream=False)) as stream:
        async for token in stream:
            tokens.append(token)  # noqa: PERF401 - the generator must be closed
    return "".join(token.text for token in tokens), tokens


def compute_headers(characters: int) -> dict[str, str]:
    """The headers that every generation answer carries."""
    return {"x-compute-type": "gpu+optimized", "x-compute-characters": str(characters)}


def timing_headers(generation: Generation, timing: Timing) -> dict[str, str]:
    """The headers of an answer in one piece; times in milliseconds but x-compute-time."""
    return compute_headers(len(generation.inputs)) | {
        "x-compute-time": str(timing.total),
        "x-total-time": _milliseconds(timing.total),
        "x-validation-time": _milliseconds(timing.validation),
        "x-queue-time": _milliseconds(timing.queue),
        "x-inference-time": _milliseconds(timing.inference),
        "x-time-per-token": _milliseconds(timing.per_token),
        "x-prompt-tokens": str(timing.prompt_tokens),
        "x-generated-tokens": str(timing.generated),
    }


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


@web.middleware
async def errors_as_bodies(request: web.Request, handler: Any) -> web.StreamResponse:
    """Turn the router's errors into answers."""
    try:
        response: web.StreamResponse = await handler(request)
    except BodyError as error:
        return web.Response(status=error.status, text=error.text)
    except InferError as error:
        content = {"error": error.message, "error_type": error.error_type}
        return web.json_response(content, status=error.status)
    return response


@web.middleware
async def api_key(request: web.Request, handler: Any) -> web.StreamResponse:
    """With --api-key, 401 with an empty body for POSTs without it; /chat_tokenize stays open."""
    wanted = request.app[SITE].api_key
    if wanted is not None and request.method == "POST" and request.path != "/chat_tokenize":
        given = request.headers.get("Authorization", "")
        if given.lower() != f"bearer {wanted}".lower():
            return web.Response(status=401)
    response: web.StreamResponse = await handler(request)
    return response


def count_request(site: Site) -> None:
    """The OpenAI routes count a request once more than the generation they contain."""
    site.metrics.count(names.REQUEST_COUNT)


def json_answer(content: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return web.Response(text=text, content_type="application/json", headers=headers)
