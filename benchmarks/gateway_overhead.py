"""What the gateway costs: time to the first byte, and tokens a second, against a direct connection.

The gateway is nginx with the whole configuration that a deploy renders (TLS, keys, limits, gates,
the access log to a file and to the agent's socket) for a host with two models; the engine is a
stand-in that answers at once. All is on this machine and over loopback. Direct, by an engine's own
path and by model name take turns, request by request, so that whatever else the machine does
befalls all three. Connections are kept, as OpenAI's clients keep them. Needs root, nginx and its
scripting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import figures, local_gateway
from benchmarks.figures import CannotMeasureError, Figures
from benchmarks.local_gateway import KEY, NAME, Running
from tests.ports import free_port
from tests.sandbox.layout import REPOSITORY

END = b"\r\n0\r\n\r\n"
PATH = "/v1/chat/completions"
KEPT = 500  # requests on one connection; nginx closes it after 1000
WORDS = "Tell me about furnaces. "


def main(arguments: list[str]) -> int:
    """Measure, print, and say whether it could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=3000, help="of each way (%(default)s)")
    parser.add_argument("--body-kib", type=int, default=8, help="of a request (%(default)s)")
    parser.add_argument("--streams", type=int, default=64, help="at once (%(default)s)")
    parser.add_argument("--rate", type=int, default=50, help="tokens/s of each (%(default)s)")
    parser.add_argument("--seconds", type=float, default=6.0, help="of a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="of streams, each way (%(default)s)")
    return figures.run(parser, measure, arguments)


@dataclass(frozen=True)
class Way:
    """One way to the engine: a port, with or without TLS, and a path."""

    name: str
    port: int
    path: str
    tls: ssl.SSLContext | None

    def connect(self) -> socket.socket:
        """Open a connection."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls.wrap_socket(plain, server_hostname=NAME) if self.tls else plain

    def request(self, tokens: int, rate: float = 0, kib: int = 1) -> bytes:
        """Return a request for so many tokens."""
        said = [{"role": "user", "content": WORDS * 4} for _ in range(max(1, kib * 10))]
        asked = {"messages": said, "max_tokens": tokens, "rate": rate, "model": "chat"}
        body = json.dumps(asked).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def measure(options: argparse.Namespace) -> Figures:
    """Measure single requests, then streams at an engine's pace, then as fast as they can be."""
    with ExitStack() as stack:
        port = stack.enter_context(_engine())
        spec = local_gateway.specification({"chat": port, "code": free_port()})
        gateway = stack.enter_context(local_gateway.running(spec))
        tls = ssl.create_default_context(cafile=str(gateway.ca))
        direct = Way("direct", port, PATH, None)
        through = Way("gateway", gateway.port, f"/chat{PATH}", tls)
        by_name = Way("by_name", gateway.port, PATH, tls)
        ways = (direct, through, by_name)
        found: Figures = {"nginx": gateway.version, "body_kib": options.body_kib}
        found |= _first_bytes(ways, options)
        found |= _paced(ways, gateway, options)
        found |= _unbounded((direct, through), options)
        _told(gateway, options)
        return found


@contextmanager
def _engine() -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.stand_in", str(port)]
    process = subprocess.Popen(command, cwd=REPOSITORY)
    try:
        for _ in range(100):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def _first_bytes(ways: tuple[Way, ...], options: argparse.Namespace) -> Figures:
    """Time from the request to the first event, with one request at a time."""
    open_: dict[Way, socket.socket] = {}
    asked = {way: way.request(1, kib=options.body_kib) for way in ways}
    taken: dict[Way, list[float]] = {way: [] for way in ways}
    for number in range(options.requests):
        if number % KEPT == 0:
            for way in ways:
                if way in open_:
                    open_[way].close()
                open_[way] = way.connect()
                _one(open_[way], asked[way])  # with it, handshake and first steps are over
        for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
            taken[way].append(_one(open_[way], asked[way]))
    for connection in open_.values():
        connection.close()
    found: Figures = {"requests": options.requests}
    for way, values in taken.items():
        found |= figures.spread(f"first_byte_{way.name}", values)
    for way in ways[1:]:
        for which in ("p50", "p99"):
            through = float(found[f"first_byte_{way.name}_{which}_ms"])
            alone = float(found[f"first_byte_{ways[0].name}_{which}_ms"])
            found[f"added_{way.name}_{which}_ms"] = round(through - alone, 3)
    return found


def _one(connection: socket.socket, request: bytes) -> float:
    begun = time.perf_counter()
    connection.sendall(request)
    data, first = b"", 0.0
    while not data.endswith(END):
        piece = connection.recv(65536)
        if not piece:
            raise CannotMeasureError(f"a connection was closed: {data[:300]!r}")
        data += piece
        if not first and b"data:" in data:
            first = time.perf_counter() - begun
    if not data.startswith(b"HTTP/1.1 200"):
        raise CannotMeasureError(f"refused: {data[:300]!r}")
    return first


def _paced(ways: tuple[Way, ...], gateway: Running, options: argparse.Namespace) -> Figures:
    """Tokens a second of many streams at once, at the pace that the engine sets."""
    tokens = round(options.rate * options.seconds)
    speeds: dict[str, list[float]] = {way.name: [] for way in ways}
    used: list[float] = []
    for _ in range(options.rounds):
        for way in ways:
            before = _cpu(gateway)
            speeds[way.name].append(_round(way, options.streams, tokens, options.rate))
            if way.name == "gateway":
                used.append((_cpu(gateway) - before) / (options.streams * tokens))
    found: Figures = {"streams": options.streams, "rate": options.rate}
    for name, values in speeds.items():
        found[f"paced_{name}_tokens_s"] = round(statistics.median(values), 1)
    found |= _lost(speeds)
    return found | {"nginx_cpu_us_per_token": round(statistics.median(used) * 1e6, 2)}


def _unbounded(ways: tuple[Way, ...], options: argparse.Namespace) -> Figures:
    """Tokens a second when nothing holds the engine back.

    Not a ratio: nginx hands several tokens on at once, and these the reader takes faster.
    """
    speeds: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(options.rounds):
        for way in ways:
            speeds[way.name].append(_round(way, 8, 10_000, 0))
    return {
        f"most_{name}_tokens_s": round(statistics.median(values), 1)
        for name, values in speeds.items()
    }


def _lost(speeds: dict[str, list[float]]) -> Figures:
    """Return what each way loses against the direct one, the median over the rounds."""
    return {
        f"paced_{name}_lost_percent": round(
            100
            - statistics.median(a / b for a, b in zip(values, speeds["direct"], strict=True)) * 100,
            2,
        )
        for name, values in speeds.items()
        if name != "direct"
    }


def _cpu(gateway: Running) -> float:
    return sum(figures.cpu(process) for process in figures.tree(gateway.pid))


def _round(way: Way, streams: int, tokens: int, rate: float) -> float:
    """Return tokens a second, from the first request to the end of the last answer."""
    return asyncio.run(_together(way, streams, tokens, rate))


async def _together(way: Way, streams: int, tokens: int, rate: float) -> float:
    loop = asyncio.get_running_loop()
    readers = []
    for _ in range(streams):
        name = NAME if way.tls else None
        reader = Reader(loop)
        await loop.create_connection(
            lambda one=reader: one,
            "127.0.0.1",
            way.port,
            ssl=way.tls,
            server_hostname=name,
        )
        readers.append(reader)
    request = way.request(tokens, rate)
    begun = time.perf_counter()
    for reader in readers:
        reader.transport.write(request)
    counts = await asyncio.wait_for(asyncio.gather(*(one.ended for one in readers)), 120)
    seconds = time.perf_counter() - begun
    for reader in readers:
        reader.transport.close()
    if set(counts) != {tokens + 1}:
        raise CannotMeasureError(f"tokens are missing: {sorted(set(counts))} of {tokens + 1}")
    return sum(counts) / seconds


class Reader(asyncio.Protocol):
    """Counts the events of one stream, the end mark among them."""

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ended: asyncio.Future[int] = loop.create_future()
        self._count, self._tail, self._last = 0, b"", b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Count; what may be half a mark is looked at again with what comes next."""
        self._last = (self._last + data)[-len(END) :]
        data = self._tail + data
        self._count += data.count(b"data: ")
        self._tail = data[-5:]
        if self._last == END and not self.ended.done():
            self.ended.set_result(self._count)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - it is all the same
        """End with what was counted."""
        if not self.ended.done():
            self.ended.set_result(self._count)


def _told(gateway: Running, options: argparse.Namespace) -> None:
    """Hold that the streams were watched while they were measured."""
    lines = [line for line in gateway.lines if b'"done":"yes"' in line]
    if len(lines) < options.streams:
        raise CannotMeasureError(f"the gateway told of {len(lines)} streams that ended")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
