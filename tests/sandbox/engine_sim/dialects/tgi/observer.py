"""Keeps TGI's batch metrics while the scheduler works."""

from ...metrics import Metrics
from . import names


class BatchMetrics:
    """The scheduler's Observer."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def queued(self) -> None:
        """The gauge climbs with each request, and is put right only by the loop."""
        self._metrics.gauge_up(names.QUEUE_SIZE)

    def batch_formed(self, size: int, waiting: int, *, joined_running: bool) -> None:
        """Size of the batch; requests that join a running one are a concatenation."""
        self._metrics.gauge(names.QUEUE_SIZE, waiting)
        if size == 0:
            return
        self._metrics.record(names.BATCH_NEXT_SIZE, size)
        if joined_running:
            self._metrics.count(names.BATCH_CONCAT, reason="chunking")
            self._metrics.record("tgi_batch_concat_duration", 0.0001, method="decode")

    def running(self, size: int, reserved_tokens: int) -> None:
        """The running batch after a step."""
        self._metrics.gauge(names.BATCH_CURRENT_SIZE, size)
        self._metrics.gauge(names.BATCH_CURRENT_MAX_TOKENS, reserved_tokens)

    def call_started(self, method: str) -> None:
        """In flight = count - success - failure."""
        self._metrics.count(names.BATCH_INFERENCE_COUNT, method=method)

    def call_succeeded(self, method: str, seconds: float, forward: float, decode: float) -> None:
        """The heartbeat of progress."""
        self._metrics.record("tgi_batch_forward_duration", forward, method=method)
        self._metrics.record("tgi_batch_decode_duration", decode, method=method)
        self._metrics.record("tgi_batch_filter_duration", 0.0001, method=method)
        self._metrics.record("tgi_batch_inference_duration", seconds, method=method)
        self._metrics.count(names.BATCH_INFERENCE_SUCCESS, method=method)

    def call_failed(self, method: str) -> None:
        """A shard's error, or a shard gone."""
        self._metrics.count(names.BATCH_INFERENCE_FAILURE, method=method)
