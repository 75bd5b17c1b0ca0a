"""From a request to its tokens: permit, validation, queue, and the books kept on it."""

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from ... import ledger as events
from ...board import Board
from ...job import Failure, Job, Token
from ...ledger import Ledger
from ...logs import Log
from ...metrics import Metrics
from ...scheduler import Scheduler
from ...words import answer
from . import errors, names
from .body import Generation
from .validation import Limits, validate


@dataclass
class Timing:
    """Times of one request, in seconds, and its token counts; complete when it has ended."""

    began: float
    validation: float = 0.0
    queue: float = 0.0
    inference: float = 0.0
    total: float = 0.0
    prompt_tokens: int = 0
    generated: int = 0

    @property
    def per_token(self) -> float:
        """Mean time per token."""
        return self.inference / max(1, self.generated)


class Infer:
    """Runs requests; the semaphore is the only limit on their number."""

    def __init__(
        self,
        scheduler: Scheduler,
        limits: Limits,
        metrics: Metrics,
        board: Board,
        ledger: Ledger,
        log: Log,
        *,
        max_concurrent_requests: int,
    ) -> None:
        self._scheduler, self._limits, self._metrics = scheduler, limits, metrics
        self._board, self._ledger, self._log = board, ledger, log
        self._permits = max_concurrent_requests

    def new_timing(self) -> Timing:
        """A clock for one request, started now."""
        return Timing(began=time.monotonic())

    async def generate(
        self, request: Generation, timing: Timing, *, stream: bool
    ) -> AsyncGenerator[Token, None]:
        """The tokens of one request; InferError for any failure, counted by its kind."""
        self._metrics.count(names.REQUEST_COUNT)
        self._ledger.note(request.request_id, events.RECEIVED)
        try:
            async for token in self._run(request, timing, stream=stream):
                yield token
        except errors.InferError as error:
            if error.metric is not None:
                self._metrics.count(names.REQUEST_FAILURE, err=error.metric)
            refused = error.error_type in {"overloaded", "validation"}
            self._ledger.note(request.request_id, events.REJECTED if refused else events.FAILED)
            raise

    async def _run(
        self, request: Generation, timing: Timing, *, stream: bool
    ) -> AsyncGenerator[Token, None]:
        permits = request.best_of or 1
        if self._permits < permits or self._board.read().overload:
            raise errors.overloaded()
        self._permits -= permits
        try:
            job = self._queue(request, timing)
            try:
                while True:
                    event = await job.events.get()
                    if isinstance(event, Failure):
                        raise _error(event, stream=stream)
                    if event.finish is not None:
                        # Before the last token goes out: who has seen it finds the books closed.
                        self._close(request, job, timing)
                    yield event
                    if event.finish is not None:
                        return
            except BaseException as error:
                if not isinstance(error, errors.InferError) and timing.total == 0.0:
                    job.dropped = True
                    self._metrics.count(names.REQUEST_FAILURE, err="dropped")
                    self._ledger.note(request.request_id, events.DROPPED)
                raise
        finally:
            self._permits += permits

    def _queue(self, request: Generation, timing: Timing) -> Job:
        valid = validate(request, self._limits)
        timing.validation = time.monotonic() - timing.began
        timing.prompt_tokens = valid.prompt_tokens
        self._metrics.record("tgi_request_validation_duration", timing.validation)
        self._metrics.record("tgi_request_input_length", valid.prompt_tokens)
        self._metrics.record("tgi_request_max_new_tokens", min(1024, valid.max_new_tokens))
        job = Job(
            words=answer(request.inputs),
            prompt_tokens=valid.prompt_tokens,
            max_new_tokens=valid.max_new_tokens,
            natural_end=valid.natural_end,
            stop=request.stop,
        )
        self._ledger.note(request.request_id, events.STARTED)
        self._scheduler.append(job)
        return job

    def _close(self, request: Generation, job: Job, timing: Timing) -> None:
        now = time.monotonic()
        started = job.started_at or now
        timing.queue, timing.inference = started - job.queued_at, now - started
        timing.total, timing.generated = now - timing.began, job.generated
        self._metrics.count(names.REQUEST_SUCCESS)
        for name, value in (
            ("tgi_request_duration", timing.total),
            ("tgi_request_queue_duration", timing.queue),
            ("tgi_request_inference_duration", timing.inference),
            ("tgi_request_mean_time_per_token_duration", timing.per_token),
            ("tgi_request_generated_tokens", float(timing.generated)),
            ("tgi_request_skipped_tokens", 0.0),
        ):
            self._metrics.record(name, value)
        self._ledger.note(request.request_id, events.FINISHED)
        self._log.info(
            "Success",
            name="generate",
            request_id=request.request_id,
            total_time=f"{timing.total}s",
            queue_time=f"{timing.queue}s",
            generated_tokens=timing.generated,
        )


def _error(failure: Failure, *, stream: bool) -> errors.InferError:
    return errors.incomplete(stream=stream) if failure.lost else errors.generation(failure.message)
