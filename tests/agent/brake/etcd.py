"""A real etcd of one member, and a FleetLock server that keeps its slots there.

What operators run is a server of their choice (airlock keeps its slots in etcd as well); this one
is here so that the client can be tried against a store that is killed, frozen and cut off.
"""

import asyncio
import base64
import json
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.ports import free_port

PREFIX = "stoker/fleetlock/"
STARTS = 30.0  # seconds
Holders = list[str]


class Etcd:
    """Lives in `directory`, and keeps its data and its port over `kill` and `start`."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._port, self._peers = directory, free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start, and wait until it answers."""
        self._spawn()
        late = asyncio.get_running_loop().time() + STARTS
        async with aiohttp.ClientSession() as http:
            while not await _healthy(http, self.url):
                assert asyncio.get_running_loop().time() < late, "etcd does not come up"
                await asyncio.sleep(0.05)

    def _spawn(self) -> None:
        peers = f"http://127.0.0.1:{self._peers}"
        command = [
            "etcd",
            *("--name", "one", "--data-dir", str(self._directory / "data")),
            *("--listen-client-urls", self.url, "--advertise-client-urls", self.url),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", f"one={peers}"),
        ]
        log = (self._directory / "log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()

    def kill(self) -> None:
        """End it without any chance to tidy up."""
        self._signal(signal.SIGKILL)
        assert self._process
        self._process.wait()
        self._process = None

    def freeze(self) -> None:
        """Let it take requests and answer none, as behind a network that swallows packets."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, with what it was sent meanwhile."""
        self._signal(signal.SIGCONT)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)


class Full(Exception):  # noqa: N818 - no error: an answer
    """All slots are taken."""


class EtcdFleetLock:
    """Slots of `most` by group; nothing is remembered but in etcd, so it may be killed itself."""

    def __init__(
        self,
        etcd: str,
        most: Mapping[str, int],
        patience: float = 2.0,
        address: str = "127.0.0.1",
    ) -> None:
        self._etcd, self._most, self._patience = etcd, most, patience
        self._address = address
        app = web.Application()
        app.router.add_post("/v1/{call:pre-reboot|steady-state}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._http: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._patience))
        await self._runner.setup()
        await web.TCPSite(self._runner, self._address, 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        assert self._http
        await self._http.close()

    async def holders(self, group: str) -> Holders:
        """Return who holds a slot."""
        return (await self._read(group))[0]

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            params = (await request.json())["client_params"]
            who, group = str(params["id"]), str(params["group"])
        except (ValueError, KeyError, TypeError):
            return _refusal(400, "invalid_client_identity", "not understood")
        if request.headers.get("fleet-lock-protocol") != "true" or not who:
            return _refusal(400, "invalid_client_identity", "no FleetLock request")
        if group not in self._most:
            return _refusal(400, "unknown_group", f"unknown group {group!r}")
        try:
            await self._change(group, who, take=request.match_info["call"] == "pre-reboot")
        except Full as full:
            return _refusal(409, "failed_lock_semaphore_full", str(full))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _refusal(503, "failed_store", f"etcd: {type(error).__name__} {error}")
        return web.Response()

    async def _change(self, group: str, who: str, *, take: bool) -> None:
        """Compare and swap until nobody came between."""
        while True:
            holders, revision = await self._read(group)
            if (who in holders) is take:
                return
            if take and len(holders) >= self._most[group]:
                raise Full(f"all {self._most[group]} slots are taken")
            after = [*holders, who] if take else [one for one in holders if one != who]
            if await self._swap(group, after, revision):
                return

    async def _read(self, group: str) -> tuple[Holders, str]:
        found = await self._ask("range", {"key": _b64(PREFIX + group)})
        if not found.get("kvs"):
            return [], "0"
        [one] = found["kvs"]
        return json.loads(base64.b64decode(one["value"])), str(one["mod_revision"])

    async def _swap(self, group: str, holders: Holders, revision: str) -> bool:
        key = _b64(PREFIX + group)
        unchanged = {"key": key, "target": "MOD", "result": "EQUAL", "modRevision": revision}
        put = {"requestPut": {"key": key, "value": _b64(json.dumps(holders))}}
        done = await self._ask("txn", {"compare": [unchanged], "success": [put]})
        return bool(done.get("succeeded"))

    async def _ask(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        assert self._http
        async with self._http.post(f"{self._etcd}/v3/kv/{call}", json=body) as answer:
            answer.raise_for_status()
            found: dict[str, Any] = await answer.json()
            return found


async def _healthy(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/health") as answer:
            found = await answer.json(content_type=None)
            return str(found.get("health")) == "true"
    except (aiohttp.ClientError, ValueError, OSError):
        return False


def _refusal(status: int, kind: str, value: str) -> web.Response:
    return web.json_response({"kind": kind, "value": value}, status=status)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
