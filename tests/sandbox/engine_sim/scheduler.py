"""The batching loop: takes requests from the queue, and gives each one token a decode step."""

import asyncio
import math
import time
from typing import Protocol

from .board import Board
from .job import Failure, Job
from .shard_client import ShardError, Shards

_CANNOT_PLACE_PAUSE = 0.02  # seconds
_CHUNK = 4096  # tokens of a prefill in chunks; the launcher's default --max-batch-prefill-tokens


class Observer(Protocol):
    """Told about every step, to keep a dialect's metrics."""

    def queued(self) -> None:
        """A request joined the queue."""
        ...

    def batch_formed(self, size: int, waiting: int, *, joined_running: bool) -> None:
        """Requests left the queue together; ``waiting`` are left in it."""
        ...

    def running(self, size: int, reserved_tokens: int) -> None:
        """The running batch changed."""
        ...

    def call_started(self, method: str) -> None:
        """A prefill or decode call goes to the shards."""
        ...

    def call_succeeded(self, method: str, seconds: float, forward: float, decode: float) -> None:
        """The shards answered; all times in seconds."""
        ...

    def call_failed(self, method: str) -> None:
        """A shard answered with an error or is gone."""
        ...


class LoopDeadError(Exception):
    """The batching loop met the fault that ends it."""


class Scheduler:
    """The queue and the loop over it."""

    def __init__(
        self,
        shards: Shards,
        board: Board,
        observer: Observer,
        *,
        kv_tokens: int,
        max_batch_size: int | None = None,
    ) -> None:
        self._shards, self._board, self._observer = shards, board, observer
        self._kv_tokens = kv_tokens
        self._max_batch_size = max_batch_size
        self._queue: list[Job] = []
        self._running: list[Job] = []
        self._work = asyncio.Event()
        self._stretched = 0  # the order of a long prefill that was carried out
        self.last_generation_ok = True

    def append(self, job: Job) -> None:
        """Put a request at the end of the queue, which knows no limit."""
        self._queue.append(job)
        self._observer.queued()
        self._work.set()

    async def run(self) -> None:
        """Work until the loop dies of a fault; its batch is lost, its queue stays for ever."""
        try:
            while True:
                if not self._queue and not self._running:
                    self._work.clear()
                    await self._work.wait()
                await self._turn()
        except LoopDeadError:
            for job in self._running:
                job.events.put_nowait(Failure("", lost=True))

    async def _turn(self) -> None:
        new = self._next_batch()
        if new:
            await self._step("prefill", new)
            await self._stretch()
        if self._running:
            await self._step("decode", self._running)
        elif not new:
            # The first in the queue does not fit an empty cache, and blocks all behind it.
            await asyncio.sleep(_CANNOT_PLACE_PAUSE)

    def _next_batch(self) -> list[Job]:
        self._die_if_told()
        self._queue = [job for job in self._queue if not job.dropped]
        free = self._kv_tokens - sum(job.reserved for job in self._running)
        most = self._max_batch_size
        room = len(self._queue) if most is None else most - len(self._running)
        new: list[Job] = []
        while self._queue and len(new) < room and self._queue[0].reserved <= free:
            job = self._queue.pop(0)
            free -= job.reserved
            new.append(job)
        self._observer.batch_formed(len(new), len(self._queue), joined_running=bool(self._running))
        for job in new:
            job.started_at = time.monotonic()
        return new

    async def _step(self, method: str, batch: list[Job]) -> None:
        jobs = list(batch)
        self._observer.call_started(method)
        began = time.monotonic()
        try:
            answer = await self._shards.call(method, size=len(jobs))
        except ShardError as error:
            self.last_generation_ok = False
            self._observer.call_failed(method)
            self._running = [job for job in self._running if job not in jobs]
            for job in jobs:
                job.events.put_nowait(Failure(str(error), lost=False))
        else:
            self.last_generation_ok = True
            seconds = time.monotonic() - began
            self._observer.call_succeeded(
                method, seconds, answer["forward_seconds"], answer["decode_seconds"]
            )
            others = [job for job in self._running if job not in jobs]
            self._running = others + [job for job in jobs if not job.dropped]
            self._running = [
                job for job in self._running if job not in jobs or not job.take_token()
            ]
        reserved = sum(job.reserved for job in self._running)
        self._observer.running(len(self._running), reserved)

    async def _stretch(self) -> None:
        """A long prefill: its later chunks are decode calls, and give nobody a token."""
        faults = self._board.read()
        if faults.long_prefill_order <= self._stretched:
            return
        self._stretched = faults.long_prefill_order
        chunks = math.ceil(faults.long_prefill_tokens / _CHUNK)
        seconds = faults.long_prefill_seconds / chunks
        for _ in range(chunks):
            self._observer.call_started("decode")
            await self._shards.call("decode", size=len(self._running), seconds=seconds)
            self._observer.call_succeeded("decode", seconds, seconds, 0.0)

    def _die_if_told(self) -> None:
        if self._board.read().router_loop_dead:
            raise LoopDeadError
