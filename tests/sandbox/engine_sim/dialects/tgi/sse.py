"""Server-sent events as axum writes them."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from aiohttp import web

DONE = b"data: [DONE]\n\n"
_KEEP_ALIVE = b":\n\n"


def event(content: Mapping[str, Any]) -> bytes:
    """One event with a JSON payload."""
    return f"data: {json.dumps(content, separators=(',', ':'), ensure_ascii=False)}\n\n".encode()


async def respond(
    request: web.Request,
    chunks: AsyncGenerator[bytes, None],
    headers: Mapping[str, str],
    keepalive_seconds: float,
) -> web.StreamResponse:
    """Send each chunk as it comes, and a comment after each silence."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", **headers}
    )
    response.headers["X-Accel-Buffering"] = "no"
    await response.prepare(request)
    paced = _with_silences(chunks, keepalive_seconds)
    async with contextlib.aclosing(chunks), contextlib.aclosing(paced):
        async for chunk in paced:
            await response.write(_KEEP_ALIVE if chunk is None else chunk)
    await response.write_eof()
    return response


async def _with_silences(
    chunks: AsyncIterator[bytes], seconds: float
) -> AsyncGenerator[bytes | None, None]:
    """The chunks, and None for every ``seconds`` without one."""
    upcoming: asyncio.Task[bytes] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.create_task(_next(chunks))
            done, _ = await asyncio.wait({upcoming}, timeout=seconds)
            if not done:
                yield None
                continue
            try:
                chunk = upcoming.result()
            except StopAsyncIteration:
                return
            upcoming = None
            yield chunk
    finally:
        if upcoming is not None:
            upcoming.cancel()
            with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
                await upcoming


async def _next(chunks: AsyncIterator[bytes]) -> bytes:
    return await anext(chunks)
