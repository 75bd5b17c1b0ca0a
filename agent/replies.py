"""How the agent answers: JSON, and one sentence in it for each error."""

import logging
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from agent.documents import Problem

log = logging.getLogger("stoker.api")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RefusedError(Exception):
    """The request is not answered; the text is a sentence for who asked."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def answer(status: int, body: object) -> web.Response:
    """Return an answer in JSON."""
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/json"
    )


def expect(request: web.Request, *known: str) -> None:
    """Refuse parameters that would be ignored: a misspelt filter must not look like an answer."""
    for name in request.query:
        if name not in known:
            may = ", ".join(known) or "none"
            raise RefusedError(400, f"unknown parameter {name!r}; known here: {may}")


@web.middleware
async def sentences(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Make one sentence in JSON of every error, aiohttp's own included."""
    try:
        return await handler(request)
    except RefusedError as refused:
        return answer(refused.status, Problem(error=str(refused)))
    except web.HTTPException as error:
        said = f"{request.method} {request.path}: {error.reason}"
        made = answer(error.status, Problem(error=said))
        if "Allow" in error.headers:
            made.headers["Allow"] = error.headers["Allow"]
        return made
    except Exception:
        log.exception("%s %s broke", request.method, request.path)
        return answer(500, Problem(error="this answer broke; the agent's journal has the reason"))
