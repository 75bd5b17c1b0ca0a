"""TGI's own routes: ``/``, ``/generate``, ``/generate_stream``, ``/vertex``."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from aiohttp import web

from ...job import Token
from ...words import split, token_id
from . import body, sse
from .body import Generation
from .errors import InferError
from .site import (
    SITE,
    Site,
    body_of,
    collect,
    compute_headers,
    json_answer,
    request_id_of,
    timing_headers,
)

_FINISH = {"length": "length", "eos": "eos_token", "stop": "stop_sequence"}


async def generate(request: web.Request) -> web.StreamResponse:
    """POST /generate: the text in one piece."""
    content = await body_of(request)
    return await answer_whole(request, content, in_list=False)


async def generate_stream(request: web.Request) -> web.StreamResponse:
    """POST /generate_stream: one event a token."""
    return await answer_streamed(request, await body_of(request))


async def root(request: web.Request) -> web.StreamResponse:
    """POST /: either, by the field ``stream``; in one piece it is wrapped in a list."""
    content = await body_of(request)
    if body.field(content, "stream", bool):
        return await answer_streamed(request, content)
    return await answer_whole(request, content, in_list=True)


async def vertex(request: web.Request) -> web.StreamResponse:
    """POST /vertex: a list of requests, a list of texts."""
    content = await body_of(request)
    site, texts = request.app[SITE], []
    for instance in body.field(content, "instances", list, required=True):
        generation = body.native(instance, request_id_of(request, content))
        text, _ = await collect(site, generation, site.infer.new_timing())
        texts.append(text)
    return json_answer({"predictions": texts})


async def answer_whole(
    request: web.Request, content: dict[str, Any], *, in_list: bool
) -> web.StreamResponse:
    """Run a request and answer when it has ended."""
    site = request.app[SITE]
    generation = body.native(content, request_id_of(request, content))
    timing = site.infer.new_timing()
    text, tokens = await collect(site, generation, timing)
    answer: dict[str, Any] = {"generated_text": text}
    if generation.details:
        answer["details"] = _details(tokens, generation)
    return json_answer([answer] if in_list else answer, timing_headers(generation, timing))


async def answer_streamed(request: web.Request, content: dict[str, Any]) -> web.StreamResponse:
    """Run a request and send each token as it comes."""
    site = request.app[SITE]
    generation = body.native(content, request_id_of(request, content))
    headers = compute_headers(len(generation.inputs))
    chunks = _chunks(site, generation)
    return await sse.respond(request, chunks, headers, site.settings.keepalive_seconds)


async def _chunks(site: Site, generation: Generation) -> AsyncGenerator[bytes, None]:
    text, index = "", 0
    try:
        timing = site.infer.new_timing()
        async with aclosing(site.infer.generate(generation, timing, stream=True)) as tokens:
            async for token in tokens:
                text += token.text
                index += 1
                last = token.finish is not None
                yield sse.event(
                    {
                        "index": index,
                        "token": _token(token),
                        "generated_text": text if last else None,
                        "details": _stream_details(token, index, timing.prompt_tokens),
                    }
                )
    except InferError as error:
        yield sse.event({"error": error.message, "error_type": error.error_type})


def _token(token: Token) -> dict[str, Any]:
    return {"id": token_id(token.text), "text": token.text, "logprob": -0.5, "special": False}


def _stream_details(token: Token, generated: int, prompt_tokens: int) -> dict[str, Any] | None:
    if token.finish is None:
        return None
    return {
        "finish_reason": _FINISH[token.finish],
        "generated_tokens": generated,
        "seed": None,
        "input_length": prompt_tokens,
    }


def _details(tokens: list[Token], generation: Generation) -> dict[str, Any]:
    return {
        "finish_reason": _FINISH[tokens[-1].finish or "length"],
        "generated_tokens": len(tokens),
        "seed": None,
        "prefill": [
            {"id": piece.id, "text": piece.text, "logprob": None}
            for piece in split(generation.inputs)
        ],
        "tokens": [_token(token) for token in tokens],
    }
