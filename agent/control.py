"""What may be asked of the agent, over the unix socket only: its file mode is the authentication.

`POST /v1/drain | /v1/undrain | /v1/restart` with `{"engine": …, "by": …, "reason": …}`,
`POST /v1/ack` with `{"incident": …, "by": …, "reason": …}`, `POST /v1/free` with the latter two:
actor and reason are obligatory, and audited. The socket serves the reads of `agent.api` too.
"""

from typing import Protocol, TypeVar

import msgspec
from aiohttp import web

from agent import api, openapi
from agent.documents import Ack, Ask, Free
from agent.errors import GARBLED, ActionError, NoSlotError, NotSavedError
from agent.model import AGENT, EngineState, Requested, Verb
from agent.replies import Handler, RefusedError, answer
from agent.snapshot import Published

B = TypeVar("B", Ask, Ack, Free)


class Obeys(Protocol):
    """Who carries requests out: the loop."""

    def request(self, name: str, asked: Requested) -> EngineState:
        """Carry out what was asked and return the engine's state after it, or `ActionError`."""

    def acknowledge(self, incident: str, by: str, reason: str) -> None:
        """Close an incident by a person's word; `ActionError` when it is not open."""

    def free(self, by: str, reason: str) -> None:
        """Give back the slot of the fleet brake, by a person's word."""


def application(reads: api.Reads, loop: Obeys, engines: frozenset[str]) -> web.Application:
    """Return the application that listens on the socket."""
    app = api.application(reads, openapi.WRITES)
    for verb in Verb:
        app.router.add_post(f"/v1/{verb}", _requested(verb, loop, engines))
    app.router.add_post("/v1/ack", _acknowledged(loop, reads.published))
    app.router.add_post("/v1/free", _freed(loop))
    return app


def _requested(verb: Verb, loop: Obeys, engines: frozenset[str]) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        ask = await _body(request, Ask)
        if ask.engine not in engines:
            known = ", ".join(sorted(engines))
            raise RefusedError(404, f"no engine {ask.engine!r} here; there are: {known}")
        asked = Requested(verb=verb, by=ask.by, reason=ask.reason, slot=ask.slot)
        try:
            state = loop.request(ask.engine, asked)
        except NoSlotError as error:
            raise RefusedError(409, str(error)) from error
        except ActionError as error:
            raise RefusedError(503, str(error)) from error
        return answer(202, state)

    return handle


def _acknowledged(loop: Obeys, published: Published) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        ack = await _body(request, Ack)
        try:
            loop.acknowledge(ack.incident, ack.by, ack.reason)
        except NotSavedError as error:
            raise RefusedError(503, str(error)) from error
        except ActionError as error:
            raise _not_open(ack.incident, published, error) from error
        return answer(202, ack)

    return handle


def _freed(loop: Obeys) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        free = await _body(request, Free)
        loop.free(free.by, free.reason)
        return answer(202, free)

    return handle


def _not_open(incident: str, published: Published, error: ActionError) -> RefusedError:
    latest = published.latest
    for one in latest.incidents_closed if latest else ():
        if one.id == incident:
            whom = f" by {one.by}" if one.by else ""
            return RefusedError(
                409, f"incident {incident!r} is closed already ({one.closed}){whom}"
            )
    names = ", ".join(one.id for one in latest.incidents) if latest else ""
    return RefusedError(404, f"{error} (open: {names or 'none'})")


async def _body(request: web.Request, kind: type[B]) -> B:
    try:
        found = msgspec.json.decode(await request.read(), type=kind)
    except GARBLED as error:
        raise RefusedError(400, str(error)) from error
    if found.by == AGENT:
        raise RefusedError(400, f"by = {AGENT!r} is the agent itself; say who asks")
    return found
