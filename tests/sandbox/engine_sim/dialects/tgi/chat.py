"""``/v1/chat/completions``: messages in, one message out, whole or streamed."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from aiohttp import web

from ...job import Token
from . import body, errors, names, sse
from .body import Generation
from .errors import InferError
from .infer import Timing
from .site import (
    SITE,
    Site,
    body_of,
    collect,
    compute_headers,
    count_request,
    json_answer,
    request_id_of,
    timing_headers,
)

FINISH = {"length": "length", "eos": "stop", "stop": "stop"}


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """POST /v1/chat/completions."""
    return await answer(request, await body_of(request))


async def answer(request: web.Request, content: dict[str, Any]) -> web.StreamResponse:
    """Answer a chat request, as its fields ask for it."""
    site = request.app[SITE]
    count_request(site)
    generation = body.openai(content, prompt_of(site, content), request_id_of(request, content))
    model = str(content.get("model") or site.model_id)
    if body.field(content, "stream", bool):
        options = body.field(content, "stream_options", dict) or {}
        chunks = _chunks(site, generation, model, usage=bool(options.get("include_usage")))
        headers = compute_headers(len(generation.inputs))
        return await sse.respond(request, chunks, headers, site.settings.keepalive_seconds)
    timing = site.infer.new_timing()
    text, tokens = await collect(site, generation, timing)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "logprobs": None,
        "finish_reason": FINISH[tokens[-1].finish or "length"],
    }
    whole = head(site, "chat.completion", model) | {"choices": [choice], "usage": usage_of(timing)}
    return json_answer(whole, timing_headers(generation, timing))


def prompt_of(site: Site, content: dict[str, Any]) -> str:
    """The templated prompt; InferError 422 when there is no template or tools contradict."""
    messages = body.field(content, "messages", list, required=True)
    if not site.has_chat_template:
        site.metrics.count(names.REQUEST_FAILURE, err="template")
        raise errors.template("template not found")
    if content.get("tools") and content.get("response_format"):
        raise errors.tool("Grammar and tools are mutually exclusive")
    turns = [f"<|{_field(turn, 'role')}|>\n{_text(turn)}" for turn in messages]
    return "\n".join([*turns, "<|assistant|>\n"]) if turns else ""


def _field(turn: Any, name: str) -> str:
    if not isinstance(turn, dict):
        raise errors.BodyError(422, "messages: invalid type: expected struct Message")
    return str(body.field(turn, name, str, required=True))


def _text(turn: dict[str, Any]) -> str:
    content = turn.get("content")
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def head(site: Site, kind: str, model: str) -> dict[str, Any]:
    """The fields that open every OpenAI-shaped answer."""
    return {
        "object": kind,
        "id": "",
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": site.fingerprint,
    }


def usage_of(timing: Timing) -> dict[str, int]:
    """Token counts."""
    return {
        "prompt_tokens": timing.prompt_tokens,
        "completion_tokens": timing.generated,
        "total_tokens": timing.prompt_tokens + timing.generated,
    }


def error_event(error: InferError) -> bytes:
    """An error inside a stream: the code is 422 whatever happened."""
    return sse.event({"error": {"message": error.message, "http_status_code": 422}})


async def _chunks(
    site: Site, generation: Generation, model: str, *, usage: bool
) -> AsyncGenerator[bytes, None]:
    opening = head(site, "chat.completion.chunk", model)
    timing = site.infer.new_timing()
    try:
        async with aclosing(site.infer.generate(generation, timing, stream=True)) as tokens:
            async for token in tokens:
                yield sse.event(opening | {"choices": [_delta(token)], "usage": None})
        if usage:
            yield sse.event(opening | {"choices": [], "usage": usage_of(timing)})
    except InferError as error:
        yield error_event(error)
    yield sse.DONE


def _delta(token: Token) -> dict[str, Any]:
    return {
        "index": 0,
        "delta": {"role": "assistant", "content": token.text},
        "logprobs": None,
        "finish_reason": None if token.finish is None else FINISH[token.finish],
    }
