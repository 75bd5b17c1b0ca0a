"""A client of many gateways at once, as a good balancer in front of them: it counts what is lost.

It sends to hosts whose `/readyz` says yes, and elsewhere only what surely nobody has: a connection
that did not come about, or 503 `engine_not_serving`. All else that is no whole answer is lost.
"""

import asyncio
import json
import random
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

AGENT_PORT = 9750
LOOK = 0.5  # seconds between two looks at who is ready
CONNECT = 3.0
PATIENCE = 60.0  # seconds that a request may look for a host that takes it
ANSWER = 120.0  # seconds for a whole answer
WORDS = (10, 35)  # tokens asked for


@dataclass(frozen=True)
class Outcome:
    """What became of one try. `how`: answered, elsewhere (nobody has it), or lost."""

    how: str
    id: str = ""
    why: str = ""


@dataclass
class Tally:
    """`answered`: ids of whole answers, as the gateways called them; `turned_away`: of refusals."""

    answered: list[str] = field(default_factory=list)
    streams: int = 0
    turned_away: list[str] = field(default_factory=list)
    elsewhere: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    slowest: float = 0.0  # seconds that a request took, all tries together
    by_host: Counter[str] = field(default_factory=Counter)


class Door:
    """The gateway of one host; `key` is asked for with each request, because keys change."""

    def __init__(
        self, name: str, address: str, tls: ssl.SSLContext, key: Callable[[], str]
    ) -> None:
        self.name, self.address, self._tls, self._key = name, address, tls, key

    async def ask(self, tokens: int, *, stream: bool) -> Outcome:
        """Send one chat, once."""
        try:
            async with asyncio.timeout(CONNECT):
                reader, writer = await asyncio.open_connection(
                    self.address, 443, ssl=self._tls, server_hostname=self.name
                )
        except (OSError, TimeoutError):
            return Outcome("elsewhere", why="no connection")
        try:
            async with asyncio.timeout(ANSWER):
                writer.write(self._request(tokens, stream=stream))
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                return judged(head, await reader.read(), stream=stream)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as problem:
            return Outcome("lost", why=f"{self.name}: broken off: {problem!r}")
        finally:
            writer.transport.abort()

    async def ready(self) -> bool:
        """Ask the agent whether requests are welcome."""
        try:
            async with asyncio.timeout(1.0):
                reader, writer = await asyncio.open_connection(self.address, AGENT_PORT)
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                line = await reader.readline()
                writer.transport.abort()
                return b" 200 " in line
        except (OSError, TimeoutError):
            return False

    def _request(self, tokens: int, *, stream: bool) -> bytes:
        body = json.dumps(
            {
                "model": "default",
                "messages": [{"role": "user", "content": "Go on and on"}],
                "max_tokens": tokens,
                "stream": stream,
            }
        )
        return (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: {self.name}\r\nConnection: close\r\n"
            f"Authorization: Bearer {self._key()}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


def judged(head: str, body: bytes, *, stream: bool) -> Outcome:
    """Say what an answer is: head, and body as it came, chunks and all. Pure."""
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    id, status = headers.get("x-request-id", ""), int(first.split()[1])  # noqa: A001
    text = body.decode(errors="replace")
    if status == 503 and '"engine_not_serving"' in text and "retry-after" in headers:
        return Outcome("elsewhere", id, "503")
    if status != 200:
        return Outcome("lost", id, f"{status}: {text[:200]}")
    if "content-length" in headers:
        whole = len(body) == int(headers["content-length"])
    else:
        whole = body.endswith(b"0\r\n\r\n")
    ended = "data: [DONE]" in text if stream else '"finish_reason"' in text
    if not whole:
        return Outcome("lost", id, f"broken off: …{text[-200:]}")
    if not ended or '"error"' in text:
        return Outcome("lost", id, f"looks whole, and is not: …{text[-200:]}")
    return Outcome("answered", id)


class Balanced:
    """Keeps `count` requests under way, every second one a stream, while the block lasts."""

    def __init__(self, doors: Mapping[str, Door], count: int) -> None:
        self.tally, self._doors, self._count = Tally(), doors, count
        self._ready: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(ANSWER + PATIENCE)

    async def _all(self) -> None:
        looking = asyncio.create_task(self._look())
        await asyncio.gather(*(self._work(stream=n % 2 == 0) for n in range(self._count)))
        looking.cancel()

    async def _look(self) -> None:
        while True:
            names = list(self._doors)
            found = await asyncio.gather(*(self._doors[name].ready() for name in names))
            self._ready = [name for name, ready in zip(names, found, strict=True) if ready]
            await asyncio.sleep(LOOK)

    async def _work(self, *, stream: bool) -> None:
        await asyncio.sleep(random.uniform(0.0, 3.0))  # not all at once
        while not self._end.is_set():
            begun = time.monotonic()
            await self._one(begun, stream=stream)
            self.tally.slowest = max(self.tally.slowest, time.monotonic() - begun)

    async def _one(self, begun: float, *, stream: bool) -> None:
        tokens = random.randint(*WORDS)
        while time.monotonic() - begun < PATIENCE:
            names = list(self._ready) or list(self._doors)
            random.shuffle(names)
            for name in names:
                outcome = await self._doors[name].ask(tokens, stream=stream)
                if outcome.how == "answered":
                    self.tally.answered.append(outcome.id)
                    self.tally.streams += stream
                    self.tally.by_host[name] += 1
                    return
                if outcome.how == "lost":
                    self.tally.lost.append(f"{outcome.why} [{outcome.id}]")
                    await asyncio.sleep(0.5)
                    return
                self.tally.elsewhere[outcome.why] += 1
                self.tally.turned_away += [outcome.id] if outcome.id else []
            await asyncio.sleep(0.2)
        self.tally.lost.append(f"nobody took it within {PATIENCE:.0f} s")
