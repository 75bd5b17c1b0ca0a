"""``/v1/completions``: one or several prompts, whole or streamed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from aiohttp import web

from . import body, chat, errors, names, sse
from .body import Generation
from .errors import InferError
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


async def completions(request: web.Request) -> web.StreamResponse:
    """POST /v1/completions."""
    return await answer(request, await body_of(request))


async def answer(request: web.Request, content: dict[str, Any]) -> web.StreamResponse:
    """Answer a completion request; its prompts run side by side."""
    site = request.app[SITE]
    count_request(site)
    name = request_id_of(request, content)
    generations = [body.openai(content, prompt, name) for prompt in _prompts(site, content)]
    model = str(content.get("model") or site.model_id)
    if body.field(content, "stream", bool):
        headers = compute_headers(sum(len(generation.inputs) for generation in generations))
        chunks = _chunks(site, generations[0], model)
        return await sse.respond(request, chunks, headers, site.settings.keepalive_seconds)
    timings = [site.infer.new_timing() for _ in generations]
    texts = await asyncio.gather(
        *(collect(site, one, timing) for one, timing in zip(generations, timings, strict=True))
    )
    choices = [
        {
            "index": index,
            "text": text,
            "logprobs": None,
            "finish_reason": chat.FINISH[tokens[-1].finish or "length"],
        }
        for index, (text, tokens) in enumerate(texts)
    ]
    usages = [chat.usage_of(timing) for timing in timings]
    usage = {key: sum(one[key] for one in usages) for key in usages[0]}
    whole = chat.head(site, "text_completion", model) | {"choices": choices, "usage": usage}
    return json_answer(whole, timing_headers(generations[0], timings[0]))


def _prompts(site: Site, content: dict[str, Any]) -> list[str]:
    prompt = content.get("prompt")
    prompts = [prompt] if isinstance(prompt, str) else prompt
    if not isinstance(prompts, list) or not prompts:
        body.field(content, "prompt", str, required=True)
        raise errors.validation("`prompt` cannot be empty")
    if len(prompts) > site.max_client_batch_size:
        site.metrics.count(names.REQUEST_FAILURE, err="validation")
        raise errors.validation(
            "Number of prompts exceeds the maximum allowed batch size of "
            f"{site.max_client_batch_size}"
        )
    return [str(one) for one in prompts]


async def _chunks(site: Site, generation: Generation, model: str) -> AsyncGenerator[bytes, None]:
    opening = chat.head(site, "text_completion", model)
    timing = site.infer.new_timing()
    try:
        async with aclosing(site.infer.generate(generation, timing, stream=True)) as tokens:
            async for token in tokens:
                finish = "" if token.finish is None else chat.FINISH[token.finish]
                choice = {
                    "index": 0,
                    "text": token.text,
                    "logprobs": None,
                    "finish_reason": finish,
                }
                yield sse.event(opening | {"choices": [choice]})
    except InferError as error:
        yield chat.error_event(error)
    yield sse.DONE
