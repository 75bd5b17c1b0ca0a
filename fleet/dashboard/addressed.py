"""Whom a request is meant for: a dashboard on loopback answers to names of loopback only.

Any site can let a name of its own point to 127.0.0.1; the browser of whoever looks at that site
then takes the dashboard for a part of it, and its scripts read the fleet (DNS rebinding).
"""

import re

from aiohttp import web
from aiohttp.typedefs import Middleware

from agent.replies import Handler, RefusedError
from fleet.dashboard.targets import loopback


def to(listen: str) -> Middleware:
    """Return what refuses requests for others, if it is loopback where we listen."""

    @web.middleware
    async def addressed(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host", "")
        if loopback(listen) and not meant(host):
            raise RefusedError(
                421,
                f"this dashboard listens on {listen}, so it answers to localhost, 127.0.0.1 and "
                f"[::1] only, not to {host[:100]!r}; a proxy in front of it must ask for those",
            )
        return await handler(request)

    return addressed


def meant(host: str) -> bool:
    """Tell whether a Host header names loopback, with any port. Pure."""
    found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9.]+))(?::[0-9]*)?", host.lower())
    return found is not None and loopback(found[1] or found[2])
