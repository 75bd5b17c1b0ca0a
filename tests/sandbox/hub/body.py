"""Sending one file: ranges, and the faults that spoil a body half way."""

from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web

from .faults import RESET, SLOW, TRUNCATE, Fault
from .repo import File

_CHUNK = 256 * 1024


def byte_range(request: web.Request, size: int) -> tuple[int, int] | None:
    """The half-open byte range asked for, None for the whole file; 416 when it lies outside."""
    try:
        asked = request.http_range
    except ValueError as error:
        raise _unsatisfiable(size) from error
    if asked.start is None and asked.stop is None:
        return None
    start, stop, _ = asked.indices(size)
    if start >= stop:
        raise _unsatisfiable(size)
    return start, stop


def _unsatisfiable(size: int) -> web.HTTPRequestRangeNotSatisfiable:
    return web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})


async def send(
    request: web.Request, file: File, headers: dict[str, str], fault: Fault | None
) -> web.StreamResponse:
    """Answer a GET with the file's bytes (200, or 206 for a range), spoilt by `fault` if given."""
    asked = byte_range(request, file.size)
    start, stop = asked or (0, file.size)
    response = web.StreamResponse(status=206 if asked else 200, headers=headers)
    response.content_length = stop - start
    if asked:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
    await response.prepare(request)
    end = (start + stop) // 2 if fault and fault.kind in (TRUNCATE, RESET) else stop
    pace = fault.bytes_per_second if fault and fault.kind == SLOW else 0
    await _copy(response, file, start, end, pace)
    if end < stop and fault:
        _hang_up(request, reset=fault.kind == RESET)
        return response
    await response.write_eof()
    return response


async def _copy(response: web.StreamResponse, file: File, start: int, stop: int, pace: int) -> None:
    step = max(1, min(_CHUNK, pace // 10)) if pace else _CHUNK
    with file.source.open("rb") as stream:
        stream.seek(start)
        while start < stop and (chunk := stream.read(min(step, stop - start))):
            await response.write(chunk)
            start += len(chunk)
            if pace:
                await asyncio.sleep(len(chunk) / pace)


def _hang_up(request: web.Request, *, reset: bool) -> None:
    transport = request.transport
    if transport is None:
        return
    if not reset:
        transport.close()
        return
    raw: socket.socket = transport.get_extra_info("socket")
    # Linger of zero seconds makes the kernel send RST in place of FIN.
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
