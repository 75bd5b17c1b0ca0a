"""Bytes to a gateway as an attacker would send them, and what its host knows of each request."""

import asyncio
import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.world import World, wait_for
from tests.sandbox.layout import DOMAIN

LOG = "/var/log/nginx/stoker.access.log"


@dataclass(frozen=True)
class Reply:
    """One HTTP/1.1 answer; status 0 = the connection was closed without one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def id(self) -> str:
        """The id that the gateway gave the request."""
        return self.headers.get("x-request-id", "")

    def error(self) -> dict[str, Any]:
        """Return the error of the body, which is in OpenAI's shape."""
        error = json.loads(self.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return dict(error)


class Wire:
    """A way to the gateway of one host, below the level of an HTTP client."""

    def __init__(self, world: World, host: str) -> None:
        self.world, self.host = world, host
        self.name, self.address = f"{host}.{DOMAIN}", world.address(host)
        self.key = (world.directory / "api-key").read_text().strip()
        self.tls = ssl.create_default_context(cafile=str(world.directory / "ca.pem"))

    def head(self, line: str, *headers: str, key: str | None = "") -> bytes:
        """Return the head of a request; `key` "" is the good one, None sends none."""
        lines = [f"{line} HTTP/1.1", f"Host: {self.name}", *headers]
        if key is not None:
            lines.append(f"Authorization: Bearer {key or self.key}")
        return "\r\n".join([*lines, "", ""]).encode()

    def post(self, body: object, *headers: str, path: str = "/v1/chat/completions") -> bytes:
        """Return a whole request with a JSON body (bytes go as they are)."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        length = f"Content-Length: {len(content)}"
        kind = "Content-Type: application/json"
        return self.head(f"POST {path}", kind, length, "Connection: close", *headers) + content

    def connect(self, seconds: float = 20) -> ssl.SSLSocket:
        """Open a connection."""
        plain = socket.create_connection((self.address, 443), timeout=seconds)
        return self.tls.wrap_socket(plain, server_hostname=self.name)

    def send(self, data: bytes, seconds: float = 20) -> Reply:
        """Send bytes and read one answer, to the end of the connection or of its body."""
        with self.connect(seconds) as connection:
            with suppress(OSError):  # it may refuse before it has read all
                connection.sendall(data)
            return parsed(_read(connection))

    # -- what the host knows -----------------------------------------------------------------------

    def engines(self) -> list[str]:
        """Return the names of the engines that run there."""
        names = self.world.shell(self.host, "docker ps --format '{{.Names}}'").split()
        return [name.removeprefix("stoker-") for name in names]

    def ledger(self, engine: str) -> dict[str, dict[str, int]]:
        """Return what happened at the engine to each request that reached it, by id."""
        told = self.world.shell(self.host, f"docker exec stoker-{engine} sim-ctl requests")
        return dict(json.loads(told))

    def reached(self) -> set[str]:
        """Return the ids of all requests that ever reached an engine."""
        told = self.world.shell(
            self.host,
            "for e in $(docker ps --format '{{.Names}}'); do docker exec $e sim-ctl requests; done",
        )
        return {one for line in told.splitlines() for one in json.loads(line)} - {""}

    def logged(self, request: str) -> dict[str, Any]:
        """Return the line of the access log about a request."""
        return self.lines([request])[0]

    def lines(self, requests: Iterable[str]) -> list[dict[str, Any]]:
        """Return the lines of the access log about requests, in their order."""
        wanted = list(requests)

        def there() -> list[dict[str, Any]] | None:
            told = self.world.shell(self.host, f"tail -n 5000 {LOG}").splitlines()
            ours = [line for line in told if any(f'"{one}"' in line for one in wanted)]
            found = {line["id"]: line for line in map(json.loads, ours)}
            return [found[one] for one in wanted] if found.keys() >= set(wanted) else None

        return wait_for(f"{len(wanted)} requests logged", there, 10) if wanted else []

    def gate(self, engine: str, *, is_open: bool) -> None:
        """Move an engine's gate without its agent, which must not run."""
        file = f"/run/stoker/gates/{engine}.open"
        self.world.shell(self.host, f"touch {file}" if is_open else f"rm -f {file}")


def parsed(data: bytes) -> Reply:
    """Read an answer; interim ones are left out."""
    while data.startswith(b"HTTP/1.1 100"):
        data = data.partition(b"\r\n\r\n")[2]
    head, _, body = data.partition(b"\r\n\r\n")
    if not head:
        return Reply(0)
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":")[::2] for line in lines]
    headers = {name.lower(): value.strip() for name, value in pairs}
    assert len(headers) == len(pairs) or len({n.lower() for n, _ in pairs}) == len(pairs), head
    if headers.get("transfer-encoding") == "chunked":
        body = _dechunked(body)
    return Reply(int(first.split()[1]), headers, body)


def _read(connection: ssl.SSLSocket) -> bytes:
    data = b""
    with suppress(OSError):
        while not _whole(data) and (piece := connection.recv(65536)):
            data += piece
    return data


def _whole(data: bytes) -> bool:
    head, found, body = data.partition(b"\r\n\r\n")
    if not found or head.startswith(b"HTTP/1.1 100"):
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
    return body.endswith(b"0\r\n\r\n")


def _dechunked(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size or b"0", 16)
        found, body = found + rest[:length], rest[length + 2 :] if length else b""
    return found


@dataclass
class Crowd:
    """Many streams at once; counts how many are under way and how each ended."""

    wire: Wire
    under_way: int = 0
    most: int = 0
    whole: int = 0
    problems: list[str] = field(default_factory=list)

    async def run(self, bodies: list[dict[str, object]], meanwhile: "asyncio.Event") -> None:
        """Send all; `meanwhile` is set once every one has its head and none has ended."""
        entering = asyncio.Semaphore(40)
        await asyncio.gather(
            *(self._one(body, entering, meanwhile, len(bodies)) for body in bodies)
        )

    async def _one(
        self,
        body: dict[str, object],
        entering: asyncio.Semaphore,
        meanwhile: asyncio.Event,
        all_of_them: int,
    ) -> None:
        try:
            async with entering:
                reader, writer = await asyncio.open_connection(
                    self.wire.address, 443, ssl=self.wire.tls, server_hostname=self.wire.name
                )
                writer.write(self.wire.post(body))
            data = await reader.readuntil(b"\r\n\r\n")
            if not data.startswith(b"HTTP/1.1 200"):
                data += await reader.read()
                raise ValueError(data)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            if self.most == all_of_them:
                meanwhile.set()
            data += await reader.read()
            writer.close()
            self.under_way -= 1
            if b"[DONE]" not in data or not data.endswith(b"0\r\n\r\n"):
                raise ValueError(data[-200:])
            self.whole += 1
        except (OSError, ValueError, asyncio.IncompleteReadError) as problem:
            self.problems.append(repr(problem)[:300])
