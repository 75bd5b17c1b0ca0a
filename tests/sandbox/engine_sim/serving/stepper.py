"""The engine's loop: step after step, each with a token for whoever decodes and a chunk of prompt.

A long prompt takes many steps and gives no token before its last chunk.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..board import Board
from ..job import Failure, Job, Token
from ..settings import Settings
from ..shard_client import ShardError, Shards
from ..words import answer

_CANNOT_PLACE_PAUSE = 0.02  # seconds


@dataclass(frozen=True)
class Step:
    """What one step did; tokens and requests are counts unless said."""

    seconds: float
    prefilled: int
    """Tokens of prompts that were computed."""
    prefilling: int
    """Of how many requests."""
    prompts: tuple[Job, ...]
    """Whose prompt is complete since this step."""
    tokens: tuple[Job, ...]
    """Who got a token."""
    running: int
    waiting: int
    kv_usage: float
    """Share of the KV cache that is filled, 0 to 1."""


@dataclass(frozen=True)
class Shape:
    """How an engine forms its steps."""

    max_running: int
    chunk: int
    """Tokens a step computes at most."""
    mixed: bool
    """False: a step is either prefill or decode, and prefill goes first."""


class Stepper:
    """The queue, the running batch and the loop over them."""

    def __init__(
        self,
        shards: Shards,
        board: Board,
        settings: Settings,
        shape: Shape,
        observe: Callable[[Step], None],
    ) -> None:
        self._shards, self._board, self._settings = shards, board, settings
        self._shape, self._observe = shape, observe
        self._queue: list[Job] = []
        self._running: list[Job] = []
        self._work = asyncio.Event()
        self._struck = self._stretched = 0  # orders of the board that were carried out
        self._death = ""
        self.dead = False

    @property
    def jobs(self) -> list[Job]:
        """Every request that is running or waiting."""
        return [job for job in (*self._running, *self._queue) if not job.dropped]

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return sum(not job.dropped for job in self._queue)

    def append(self, job: Job) -> None:
        """Put a request at the end of the queue."""
        self._queue.append(job)
        self._work.set()

    def probe(self) -> Job:
        """Put a request for one token at the end of the queue, of which no client knows."""
        job = Job(answer(""), prompt_tokens=1, max_new_tokens=1, natural_end=False)
        self.append(job)
        return job

    def abort(self) -> None:
        """End every request here and now, with what it has."""
        for job in self.jobs:
            job.dropped = True
            job.events.put_nowait(Token("", "abort"))

    async def run(self) -> None:
        """Step for ever; when a rank is gone, fail every request and return."""
        try:
            while True:
                self._queue = [job for job in self._queue if not job.dropped]
                self._running = [job for job in self._running if not job.dropped]
                if self._board.read().router_loop_dead:
                    await asyncio.sleep(_CANNOT_PLACE_PAUSE)
                elif self._queue or self._running:
                    await self._step()
                else:
                    self._work.clear()
                    await self._work.wait()
        except ShardError:
            self.dead = True
            for job in self.jobs:
                job.events.put_nowait(Failure("", lost=True))

    async def _step(self) -> None:
        chunks, decoding = self._plan()
        if not chunks and not decoding and not self._death:
            # The first in the queue does not fit, and blocks all behind it.
            await asyncio.sleep(_CANNOT_PLACE_PAUSE)
            return
        began = time.monotonic()
        await self._shards.call("step", seconds=self._seconds(chunks), death=self._death)
        for job, tokens in chunks.items():
            job.prefilled += tokens
        complete = [job for job in chunks if job.prefilled == job.prefill]
        lucky = [job for job in (*decoding, *complete) if not job.dropped]
        for job in lucky:
            job.first_token_at = job.first_token_at or time.monotonic()
        done = {job for job in lucky if job.take_token()}
        self._running = [job for job in self._running if job not in done and not job.dropped]
        self._observe(
            Step(
                seconds=time.monotonic() - began,
                prefilled=sum(chunks.values()),
                prefilling=len(chunks),
                prompts=tuple(complete),
                tokens=tuple(lucky),
                running=len(self._running),
                waiting=self.waiting,
                kv_usage=min(1.0, _held(self._running) / self._settings.kv_tokens),
            )
        )

    def _plan(self) -> tuple[dict[Job, int], list[Job]]:
        prefilling = [job for job in self._running if job.prefilled < job.prefill]
        decoding = [job for job in self._running if job.prefilled == job.prefill]
        budget = self._shape.chunk - (len(decoding) if self._shape.mixed else 0)
        chunks: dict[Job, int] = {}
        for job in prefilling:
            if budget > 0:
                chunks[job] = min(budget, job.prefill - job.prefilled)
                budget -= chunks[job]
        while budget > 0 and (joining := self._next()) is not None:
            chunks[joining] = min(budget, joining.prefill)
            budget -= chunks[joining]
        if chunks and not self._shape.mixed:
            decoding = []
        return chunks, decoding

    def _next(self) -> Job | None:
        """Take the first request out of the queue, if it fits."""
        reserved = sum(job.reserved for job in self._running)
        if not self._queue or len(self._running) >= self._shape.max_running:
            return None
        if self._queue[0].reserved > self._settings.kv_tokens - reserved:
            return None
        job = self._queue.pop(0)
        job.started_at = time.monotonic()
        job.prefill = job.prompt_tokens
        job.prefill_pace = 1 / self._settings.prefill_tokens_per_second
        self._strike(job)
        self._running.append(job)
        return job

    def _strike(self, job: Job) -> None:
        faults = self._board.read()
        if faults.long_prefill_order > self._stretched:
            self._stretched = faults.long_prefill_order
            job.prefill = faults.long_prefill_tokens
            job.prefill_pace = faults.long_prefill_seconds / faults.long_prefill_tokens
        if faults.next_request and faults.serial != self._struck:
            self._struck = faults.serial
            if faults.next_request == "oom":
                self._death = "oom"
            else:
                job.dropped = True
                job.events.put_nowait(Failure("simulated failure of one request", lost=False))

    def _seconds(self, chunks: dict[Job, int]) -> float:
        rate = self._board.read().tokens_per_second or self._settings.tokens_per_second
        return 1 / rate + sum(tokens * job.prefill_pace for job, tokens in chunks.items())


def _held(jobs: Iterable[Job]) -> float:
    """Tokens in the KV cache; of a stretched prefill, the true prompt's share."""
    return sum(job.prompt_tokens * job.prefilled / job.prefill + job.generated for job in jobs)
