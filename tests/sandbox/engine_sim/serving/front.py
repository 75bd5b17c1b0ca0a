"""The API server's way from a request to its tokens, and the books kept on it."""

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

from .. import ledger as events
from ..board import Board
from ..job import Failure, Job, Token
from ..ledger import Ledger
from ..words import answer
from . import openai
from .openai import Answer, Call, RefusedError
from .stepper import Stepper


class Books(Protocol):
    """A dialect's metrics of requests."""

    def refused(self) -> None:
        """A request found the queue full."""
        ...

    def ended(self, job: Job, reason: str) -> None:
        """A request ended: "stop", "length", "abort" or "error"."""
        ...


@dataclass(frozen=True)
class Policy:
    """What a dialect promises its clients."""

    models: tuple[str, ...]
    max_model_len: int
    full: RefusedError
    """What a request is told that finds the queue full."""
    died: str
    """What a client is told whose request died with the engine."""


@dataclass
class Front:
    """Requests in flight, and how they are let in."""

    policy: Policy
    stepper: Stepper
    board: Board
    ledger: Ledger
    books: Books
    limit: int | None = None
    """Requests that may be in flight, or with `limit_waiting` in the queue."""
    limit_waiting: bool = False
    closed: RefusedError | None = None
    """Set: what every new request is told."""
    open: int = field(default=0, init=False)
    """HTTP requests that are being answered, whatever the engine does about them."""

    def begin(self, call: Call) -> Job:
        """Let a request in and queue it; RefusedError when there is no place for it."""
        self.ledger.note(call.request_id, events.RECEIVED)
        self._admit(call)
        return self._queue(call)

    async def tokens(self, call: Call, job: Job) -> AsyncGenerator[Token, None]:
        """The tokens of a request; RefusedError 500 when the engine dies over it."""
        reason = "abort"
        try:
            while True:
                found = await job.events.get()
                if isinstance(found, Failure):
                    reason = "error"
                    message = self.policy.died if found.lost else "Internal server error"
                    raise RefusedError(500, message, "InternalServerError")
                if found.finish is not None:
                    reason = openai.FINISH[found.finish] or ""
                yield found
                if found.finish is not None:
                    return
        finally:
            job.dropped = True
            self.books.ended(job, reason)
            self.ledger.note(call.request_id, _EVENTS.get(reason, events.FINISHED))

    def _admit(self, call: Call) -> None:
        refusal = self.closed
        if self.stepper.dead:
            refusal = RefusedError(500, self.policy.died, "InternalServerError")
        taken = self.stepper.waiting if self.limit_waiting else len(self.stepper.jobs)
        full = self.limit is not None and taken >= self.limit
        if refusal is None and (full or self.board.read().overload):
            self.books.refused()
            refusal = self.policy.full
        if refusal is not None:
            self.ledger.note(call.request_id, events.REJECTED)
            raise refusal

    def _queue(self, call: Call) -> Job:
        room = self.policy.max_model_len - call.prompt_tokens
        job = Job(
            words=answer(call.prompt),
            prompt_tokens=call.prompt_tokens,
            max_new_tokens=call.max_tokens or min(openai.DEFAULT_TOKENS, room),
            natural_end=call.max_tokens is None,
            stop=call.stop,
        )
        self.ledger.note(call.request_id, events.STARTED)
        self.stepper.append(job)
        return job


_EVENTS = {"abort": events.DROPPED, "error": events.FAILED}
FRONT = web.AppKey("front", Front)


async def generate(request: web.Request) -> web.StreamResponse:
    """POST /v1/chat/completions and /v1/completions."""
    front = request.app[FRONT]
    front.open += 1
    try:
        call = await openai.read(request, front.policy.models, front.policy.max_model_len)
        if call.stream:
            return await _streamed(request, front, call)
        async with aclosing(front.tokens(call, front.begin(call))) as stream:
            tokens = [token async for token in stream]
        return web.json_response(Answer.to(call).whole(tokens))
    except RefusedError as refusal:
        return _refuse(refusal)
    finally:
        front.open -= 1


async def _streamed(request: web.Request, front: Front, call: Call) -> web.StreamResponse:
    reply, job = Answer.to(call), front.begin(call)
    opening = reply.opening()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    async with aclosing(front.tokens(call, job)) as stream:
        await response.prepare(request)
        try:
            async for token in stream:
                await response.write(opening + reply.token(token))
                opening = b""
            await response.write(reply.closing(job.generated))
        except RefusedError as refusal:
            body = openai.error(refusal.status, str(refusal), refusal.kind)
            await response.write(openai.event(body))
    await response.write(openai.DONE)
    await response.write_eof()
    return response


def _refuse(refusal: RefusedError) -> web.Response:
    body = openai.error(refusal.status, str(refusal), refusal.kind)
    return web.json_response(body, status=refusal.status)


def models(front: Front, owner: str, root: str) -> Mapping[str, Any]:
    """The body of GET /v1/models."""
    one = {"object": "model", "created": int(time.time()), "owned_by": owner, "root": root}
    one |= {"parent": None, "max_model_len": front.policy.max_model_len}
    return {"object": "list", "data": [{"id": name, **one} for name in front.policy.models]}
