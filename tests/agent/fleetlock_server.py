"""A FleetLock server with the semantics of coreos/airlock, and the troubles of a network."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Self

from aiohttp import web

GROUP = re.compile(r"[a-zA-Z0-9.-]+")
Answer = tuple[int, str, str]  # status, kind, value

LATE_BY = 0.1  # seconds after the client has hung up
AIRLOCK_FULL: Answer = (500, "failed_lock", "all 2 semaphore slots currently locked")


class Fault(StrEnum):
    """What goes wrong with one request."""

    NONE = "none"
    ERROR = "the backend fails"
    GARBAGE = "an answer that nobody understands"
    CUT_BEFORE = "the line is cut before the request is carried out"
    CUT_AFTER = "the line is cut after that, before the answer"
    HANG = "carried out, never answered"
    LATE = "carried out when the client has given up"
    REDIRECT = "sent elsewhere, where all is well"
    PORTAL = "a login page in the server's place"


Chooser = Callable[[str, str], Fault]  # of the call and the client's id


class FleetLockServer:
    """Slots by group; `fault` chooses what goes wrong; `full` is the answer if no slot is free."""

    def __init__(
        self,
        groups: Mapping[str, int],
        fault: Chooser = lambda _call, _id: Fault.NONE,
        full: Answer = AIRLOCK_FULL,
    ) -> None:
        self.groups, self.fault, self.full = dict(groups), fault, full
        self.holders: dict[str, set[str]] = {group: set() for group in groups}
        app = web.Application()
        app.router.add_post("/base/v1/{call:pre-reboot|steady-state}", self._handle)
        app.router.add_get("/elsewhere", self._elsewhere)
        # Not aiohttp's TestServer: that cancels the handler of a client that has hung up.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    @property
    def url(self) -> str:
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/base"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = request.match_info["call"]
        params = _params(request, body)
        fault = self.fault(call, str(params.get("id")) if params else "")
        if fault is Fault.ERROR:
            return _error(500, "failed_sem_init", "context deadline exceeded")
        if fault is Fault.GARBAGE:
            return web.Response(status=502, body=b"\xff\xfe{not json")
        if fault is Fault.REDIRECT:
            raise web.HTTPFound("/elsewhere")
        if fault is Fault.PORTAL:
            return web.Response(text="<html>please log in</html>", content_type="text/html")
        if fault is Fault.CUT_BEFORE:
            return _cut(request)
        if fault is Fault.LATE:
            await _gone(request)
            await asyncio.sleep(LATE_BY)
        answer = self._carry_out(call, params)
        if fault is Fault.CUT_AFTER:
            return _cut(request)
        if fault is Fault.HANG:
            await _gone(request)
        return answer

    def _carry_out(self, call: str, params: dict[str, Any] | None) -> web.Response:
        if params is None or not params.get("id") or not GROUP.fullmatch(params.get("group", "")):
            return _error(400, "invalid_client_identity", "failed to validate client identity")
        who, group = params["id"], params["group"]
        if group not in self.groups:
            return _error(400, "unknown_group", f'unknown group "{group}"')
        holders = self.holders[group]
        if call == "steady-state":
            holders.discard(who)
        elif who not in holders and len(holders) >= self.groups[group]:
            return _error(*self.full)
        else:
            holders.add(who)
        return web.Response()

    async def _elsewhere(self, _: web.Request) -> web.Response:
        return web.Response(text="all is well")


def _params(request: web.Request, body: bytes) -> dict[str, Any] | None:
    if request.headers.get("fleet-lock-protocol") != "true":
        return None
    try:
        found = json.loads(body)["client_params"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _error(status: int, kind: str, value: str) -> web.Response:
    text = json.dumps({"kind": kind, "value": value}) + "\n"
    return web.Response(status=status, text=text)  # text/plain, as Go's http.Error


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _gone(request: web.Request) -> None:
    """Wait until the client has hung up."""
    for _ in range(2000):
        if request.transport is None or request.transport.is_closing():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError("the client waits for ever")
