"""What tests steer and see: faults to come, the log of requests, and whether the hub runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from .errors import HubError
from .faults import SILENT, STATUS, Fault, Faults

# A plain key: Debian's aiohttp knows no RequestKey.
_ENTRY = "stoker-log-entry"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """Routes ``/_sim/faults``, ``/_sim/log``, ``/status``, and the middleware behind them."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.log: list[dict[str, Any]] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/status", self._status),
            web.get("/_sim/log", self._show_log),
            web.delete("/_sim/log", self._clear_log),
            web.post("/_sim/faults", self._add_fault),
            web.delete("/_sim/faults", self._clear_faults),
        ]

    @web.middleware
    async def middleware(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Log each request of a client, play faults that need no file, turn errors into answers."""
        if request.path.startswith("/_sim/") or request.path == "/status":
            return await handler(request)
        entry = {
            "method": request.method,
            "path": request.path_qs,
            "had_token": "Authorization" in request.headers,
            "range": request.headers.get("Range"),
        }
        self.log.append(entry)
        request[_ENTRY] = entry
        try:
            if fault := self.faults.take(request.path, (STATUS, SILENT)):
                return await _instead(fault)
            return await handler(request)
        except HubError as error:
            return error.response()

    async def answered(self, request: web.Request, response: web.StreamResponse) -> None:
        """Log the status before the client can have read it, so that tests never come too early."""
        if (entry := request.get(_ENTRY)) is not None:
            entry["status"] = response.status

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _show_log(self, _request: web.Request) -> web.Response:
        return web.json_response(self.log)

    async def _clear_log(self, _request: web.Request) -> web.Response:
        self.log.clear()
        return web.json_response({})

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            self.faults.add(Fault.parse(json.loads(await request.text())))
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({}, status=201)

    async def _clear_faults(self, _request: web.Request) -> web.Response:
        self.faults.clear()
        return web.json_response({})


async def _instead(fault: Fault) -> web.Response:
    if fault.kind == SILENT:
        await asyncio.sleep(3600)  # until the client hangs up
    headers = {"Retry-After": str(fault.retry_after)} if fault.status in (429, 503) else {}
    body = {"error": f"simulated {fault.status}"}
    return web.json_response(body, status=fault.status, headers=headers)
