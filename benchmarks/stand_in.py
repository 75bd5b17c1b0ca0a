"""An engine that costs next to nothing, so that what is in front of it is measured.

`python -m benchmarks.stand_in PORT` answers any POST with a stream of as many events as the body's
`max_tokens` says, `rate` of them a second (0: as fast as they are taken), and keeps connections.
"""

import asyncio
import json
import sys
from collections.abc import Iterator

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
TOKEN = {
    "id": "chatcmpl-0123456789abcdef0123456789abcdef",
    "object": "chat.completion.chunk",
    "created": 1795000000,
    "model": "org/model",
    "choices": [{"index": 0, "delta": {"content": " word"}, "finish_reason": None}],
}


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


EVENT = _chunk(f"data: {json.dumps(TOKEN)}\n\n".encode())
END = _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Clock:
    """Gives every stream of one rate its turn at once."""

    def __init__(self, rate: float) -> None:
        self._period = 1 / rate
        self._streams: list[tuple[asyncio.Transport, Iterator[bytes]]] = []

    def add(self, transport: asyncio.Transport, pieces: Iterator[bytes]) -> None:
        """Let a stream begin."""
        self._streams.append((transport, pieces))
        if len(self._streams) == 1:
            self._turn(asyncio.get_running_loop().time())

    def _turn(self, due: float) -> None:
        left = []
        for transport, pieces in self._streams:
            piece = next(pieces, None)
            if piece is not None and not transport.is_closing():
                transport.write(piece)
                left.append((transport, pieces))
        self._streams = left
        if left:
            due += self._period
            asyncio.get_running_loop().call_at(due, self._turn, due)


CLOCKS: dict[float, Clock] = {}


class Connection(asyncio.Protocol):
    """One connection: a request after the other."""

    def __init__(self) -> None:
        self._data = b""
        self._fast: Iterator[bytes] | None = None
        self._held = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.lower().split(b"\r\n")
        sizes = [line.partition(b":")[2] for line in lines if line.startswith(b"content-length:")]
        length = int(sizes[0]) if sizes else 0
        if len(rest) < length:
            return
        body, self._data = rest[:length], rest[length:]
        asked = json.loads(body)
        self._answer(int(asked["max_tokens"]), float(asked.get("rate", 0)))

    def _answer(self, tokens: int, rate: float) -> None:
        if rate:
            pieces = iter([HEAD, *[EVENT] * tokens, END])
            CLOCKS.setdefault(rate, Clock(rate)).add(self._transport, pieces)
        elif tokens == 1:
            self._transport.write(HEAD + EVENT + END)
        else:
            self._fast = iter([HEAD, *[EVENT] * tokens, END])
            self._pour()

    def pause_writing(self) -> None:
        """Wait for whoever reads."""
        self._held = True

    def resume_writing(self) -> None:
        """Go on."""
        self._held = False
        self._pour()

    def _pour(self) -> None:
        for _ in range(100):  # each token by itself, as an engine writes them
            piece = next(self._fast, None) if self._fast else None
            if piece is None:
                self._fast = None
                return
            self._transport.write(piece)
            if self._held:
                return
        asyncio.get_running_loop().call_soon(self._pour)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
