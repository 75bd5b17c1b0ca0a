"""A real HAProxy with the configuration of a balancer, before nodes that are made up."""

import asyncio
import csv
import json
import os
import shutil
import signal
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from agent import agentcheck, haproxy
from agent.agentcheck import line
from agent.peers import Peer, PeerEngine
from agent.spec import HostSpec
from fleet import balancer, local_ca
from fleet.facts.haproxy import Haproxy
from fleet.local_ca import Pair
from tests.ports import free_port

HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NAME = "llm.example"
CHAT = "/v1/chat/completions"
READY = line(serving=True, weight_percent=100, maintenance=False, reason="")
DOWN = line(serving=False, weight_percent=100, maintenance=False, reason="Xid79")
DRAIN = line(serving=False, weight_percent=100, maintenance=True, reason="Drained")


class Authority:
    """Signs for this site; what it signed lies in `root`."""

    def __init__(self, root: Path) -> None:
        self._made, self._root = local_ca.authority(datetime.now(UTC)), root
        self.file = root / "ca.crt"
        self.file.write_bytes(self._made.certificate)

    def signed(self, name: str) -> Path:
        """Return the certificate's file for a name; its key lies beside it."""
        made: Pair = local_ca.signed(self._made, name, [name], datetime.now(UTC))
        path = self._root / f"{name}.crt"
        path.write_bytes(made.certificate)
        path.with_name(f"{path.name}.key").write_bytes(made.key)
        return path

    def serving(self, name: str) -> ssl.SSLContext:
        """Return the TLS of a server with that name."""
        path = self.signed(name)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path, f"{path}.key")
        return context


@dataclass
class Node:
    """A gateway with a gate, and an agent with a word for each model.

    `seconds` = how long an answer takes; `arrived` = when requests came, by time.monotonic.
    """

    name: str
    models: tuple[str, ...] = ("chat",)
    most: int = 128
    seconds: float = 0.0
    open: bool = True
    port: int = field(default_factory=free_port)
    check_port: int = field(default_factory=free_port)
    words: dict[str | None, str] = field(default_factory=dict)
    arrived: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    at_once: int = 0
    peak: int = 0
    breaks: bool = False
    headers: list[dict[str, str]] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    _agent: asyncio.Server | None = None

    @property
    def server_name(self) -> str:
        return f"{self.name}.example"

    @property
    def peer(self) -> Peer:
        engines = {
            f"e{number}": PeerEngine(kind="vllm", model=m, models=(m,), gpus=1, most=self.most)
            for number, m in enumerate(self.models)
        }
        return Peer(
            name=self.name, address="127.0.0.1", server_name=self.server_name, port=self.port,
            check_port=self.check_port, reads=True, engines=engines,
        )  # fmt: skip

    def say(self, words: str) -> None:
        """Have the agent say this of every model."""
        self.words = dict.fromkeys([f"model={m}" for m in self.models], words)

    def drain(self, words: str = DOWN) -> float:
        """Shut the gate and say so, as an agent does; return when."""
        self.open = False
        self.say(words)
        return time.monotonic()

    async def asked_since(self, moment: float) -> None:
        """Wait until a request has come after that moment, by time.monotonic."""
        while not self.arrived or self.arrived[-1] < moment:
            assert time.monotonic() - moment < 10, f"{self.name}: nobody asked"
            await asyncio.sleep(0.005)

    async def left(self) -> None:
        """Wait until nobody waits for the answer to the latest request."""
        begun = time.monotonic()
        while self.requests[-1].transport is not None:
            assert time.monotonic() - begun < 10, f"{self.name}: somebody still waits"
            await asyncio.sleep(0.02)

    async def listen(self, tls: ssl.SSLContext) -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_get("/readyz{any:.*}", self._readyz)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/{any:.*}", self._chat)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=tls).start()

    async def deafen(self) -> None:
        """Close the gateway's port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def answer(self) -> None:
        """Start the agent."""
        self._agent = await agentcheck.serve("127.0.0.1", self.check_port, self._word)

    def kill(self) -> None:
        """End the agent."""
        if self._agent is not None:
            self._agent.close()
            self._agent = None

    def _word(self, asked: str | None) -> str:
        return self.words[asked]

    async def _readyz(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.open else 503)

    async def _models(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer good":
            return web.json_response({"error": {"code": "invalid_api_key"}}, status=401)
        return web.json_response({"object": "list", "data": [{"id": m} for m in self.models]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.arrived.append(time.monotonic())
        self.headers.append(dict(request.headers))
        self.requests.append(request)
        if not self.open:
            error = {"error": {"code": "engine_not_serving"}}
            return web.json_response(error, status=425, headers={"Retry-After": "2"})
        if self.breaks:
            await request.read()
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        try:
            body = await request.json()
            if body.get("stream"):
                return await self._stream(request)
            await asyncio.sleep(self.seconds)
        finally:
            self.at_once -= 1
            self.ended.append(time.monotonic())
        return web.json_response({"host": self.name, "path": request.path})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for _ in range(5):
            await answer.write(b'data: {"host":"' + self.name.encode() + b'"}\n\n')
            await asyncio.sleep(self.seconds / 5)
        await answer.write(b"data: [DONE]\n\n")
        return answer


class Site:
    """HAProxy as a process, asked as clients do and read over its socket."""

    def __init__(self, root: Path, nodes: list[Node], **settings: object) -> None:
        self.root, self.nodes, self.authority = root, {n.name: n for n in nodes}, Authority(root)
        self.front, self.metrics = free_port(), free_port()
        self._socket = str(root / "sock")
        data = {
            "engines": {}, "driver_gpu_count": 0, "balancer_enabled": True,
            "balancer_port": self.front, "balancer_metrics_port": self.metrics,
            "balancer_server_name": NAME, "balancer_nodes_ca_file": "given",
            "balancer_check_seconds": 0.3, "balancer_connections": 2000,
            "balancer_peers": tuple(n.peer for n in nodes),
            **settings,
        }  # fmt: skip
        self.spec = HostSpec.from_data("lb-1", data)
        self._process: asyncio.subprocess.Process | None = None

    def write(self) -> Path:
        """Write the configuration, with its places in `root`."""
        text = balancer.haproxy_cfg(self.spec, Haproxy((2, 6), ipv6=False))
        here = {
            balancer.CERTIFICATE: self.root / f"{NAME}.crt",
            balancer.SCRIPT: self.root / "balancer.lua",
            balancer.NODES_CA: self.authority.file,
            balancer.SOCKET: self._socket,
            balancer.STATE: self.root / "state",
        }
        for there, path in here.items():
            text = text.replace(f" {there}\n", f" {path}\n").replace(f" {there} ", f" {path} ")
        needs_root = ("    user ", "    group ", "    chroot ")
        lines = [one for one in text.splitlines() if not one.startswith(needs_root)]
        (self.root / "balancer.lua").write_text(balancer.script(self.spec))
        path = self.root / "haproxy.cfg"
        path.write_text("\n".join(lines) + "\n")
        return path

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        assert HAPROXY
        self.authority.signed(NAME)
        for node in self.nodes.values():
            node.say(READY)
            await node.listen(self.authority.serving(node.server_name))
            await node.answer()
        path = self.write()
        (self.root / "state").write_text("1\n")  # as the unit does
        log = (self.root / "log").open("wb")
        self._process = await asyncio.create_subprocess_exec(
            HAPROXY, "-W", "-db", "-f", str(path), stdout=log, stderr=log
        )
        try:
            await self.settled()
            yield self
        finally:
            if self._process.returncode is None:
                self._process.terminate()
            await self._process.wait()
            for node in self.nodes.values():
                node.kill()
                await node.deafen()

    async def settled(self) -> None:
        """Wait until every agent was asked."""
        for name in self.nodes:
            await self.becomes(name, "UP", asked=True)

    @property
    def log(self) -> str:
        return (self.root / "log").read_text()

    def keep(self) -> None:
        haproxy.keep(self._socket, self.root / "state")

    def reload(self) -> None:
        """Do what the unit does."""
        assert self._process is not None
        self.keep()
        self._process.send_signal(signal.SIGUSR2)

    async def rows(self) -> list[dict[str, str]]:
        said = await asyncio.to_thread(haproxy.ask, self._socket, b"show stat\n")
        return list(csv.DictReader(said.decode().removeprefix("# ").splitlines()))

    async def status(self, host: str, backend: str = "") -> dict[str, str]:
        names = {backend} if backend else {b.name for b in balancer.of(self.spec)}
        rows = await self.rows()
        return next(r for r in rows if r["svname"] == host and r["pxname"] in names)

    async def becomes(
        self, host: str, wanted: str, seconds: float = 10.0, *, asked: bool = False
    ) -> float:
        """Wait until a host's status starts so; return how long it took."""
        begun, row = time.monotonic(), dict[str, str]()
        while time.monotonic() - begun < seconds:
            try:
                row = await self.status(host)
            except (OSError, StopIteration):
                row = {"status": "not there"}
            if row["status"].startswith(wanted) and (not asked or row.get("agent_status")):
                return time.monotonic() - begun
            await asyncio.sleep(0.02)
        raise AssertionError(f"{host}: {row} did not become {wanted} ({self.log[-2000:]})")

    @asynccontextmanager
    async def client(self) -> AsyncIterator["Client"]:
        tls = ssl.create_default_context(cafile=str(self.authority.file))
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        async with aiohttp.ClientSession(connector=connector) as http:
            yield Client(http, self.front)


class Client:
    """Asks the balancer."""

    def __init__(self, http: aiohttp.ClientSession, port: int) -> None:
        self.http, self._url = http, f"https://127.0.0.1:{port}"

    async def ask(
        self, path: str = CHAT, *, method: str = "POST", body: Any = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Return status, decoded body and headers."""
        content = json.dumps({"model": "chat"} if body is None else body)
        async with self.http.request(
            method, self._url + path, data=content if method == "POST" else None,
            headers={"Host": NAME, **{k.replace("_", "-"): v for k, v in headers.items()}},
            server_hostname=NAME,
        ) as answer:  # fmt: skip
            text = await answer.text()
            try:
                return answer.status, json.loads(text), answer.headers
            except ValueError:
                return answer.status, text, answer.headers


class Load:
    """Keeps `count` requests under way, every second one a stream."""

    def __init__(self, client: Client, count: int) -> None:
        self._client, self._count, self._end = client, count, asyncio.Event()
        self.outcomes: Counter[str] = Counter()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._work(stream=number % 2 == 0))
            try:
                yield self
            finally:
                self._end.set()

    async def _work(self, *, stream: bool) -> None:
        while not self._end.is_set():
            self.outcomes[await self._one(stream=stream)] += 1

    async def _one(self, *, stream: bool) -> str:
        try:
            body = {"model": "chat", "stream": stream}
            status, said, headers = await self._client.ask(body=body)
        except (aiohttp.ClientError, OSError) as error:
            return f"lost: {error!r}"
        if status == 200:
            whole = "[DONE]" in said if stream else bool(said.get("host"))
            return "answered" if whole else "lost: broken off"
        if status == 503 and said["error"]["code"] == "engine_not_serving":
            return "turned away" if "Retry-After" in headers else "lost: no word of when"
        return f"lost: {status} {said}"

    @property
    def lost(self) -> dict[str, int]:
        return {how: count for how, count in self.outcomes.items() if how.startswith("lost")}
