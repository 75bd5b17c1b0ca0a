"""What may be asked of the agent, over the unix socket only: its file mode is the authentication.

`POST /v1/drain | /v1/undrain | /v1/restart` with `{"engine": …, "by": …, "reason": …}`: actor and
reason are obligatory, and audited. The socket serves the reads of `agent.api` too.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Protocol

import msgspec
from aiohttp import web
from msgspec import Meta

from agent import api
from agent.errors import ActionError
from agent.model import AGENT, EngineState, Requested, Verb
from agent.snapshot import Published


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request."""

    engine: str
    by: Annotated[str, Meta(min_length=1, max_length=100)]
    reason: Annotated[str, Meta(min_length=1, max_length=500)]


class Obeys(Protocol):
    """Who carries requests out: the loop."""

    def request(self, name: str, asked: Requested) -> EngineState:
        """Carry out what was asked and return the engine's state after it, or `ActionError`."""


def application(
    published: Published, tick: float, loop: Obeys, engines: frozenset[str]
) -> web.Application:
    """Return the application that listens on the socket."""
    app = api.application(published, tick)
    for verb in Verb:
        app.router.add_post(f"/v1/{verb}", _handler(verb, loop, engines))
    return app


def _handler(
    verb: Verb, loop: Obeys, engines: frozenset[str]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            ask = msgspec.json.decode(await request.read(), type=Ask)
        except msgspec.DecodeError as error:
            return _json(400, {"error": str(error)})
        if ask.engine not in engines:
            known = ", ".join(sorted(engines))
            return _json(404, {"error": f"no engine {ask.engine!r} here; there are: {known}"})
        if ask.by == AGENT:
            return _json(400, {"error": f"by = {AGENT!r} is the agent itself; say who asks"})
        try:
            state = loop.request(ask.engine, Requested(verb=verb, by=ask.by, reason=ask.reason))
        except ActionError as error:
            return _json(503, {"error": str(error)})
        return _json(202, state)

    return handle


def _json(status: int, body: object) -> web.Response:
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/json"
    )
