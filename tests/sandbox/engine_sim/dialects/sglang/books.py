"""SGLang's metrics, kept as its scheduler and its tokenizer manager keep them.

The scheduler's gauges come with each batch of prefill and every --decode-log-interval passes of
decode, and while idle every 30 s: they go on telling of requests that ended long ago, and miss
short ones. Its counters come with every pass. What counts requests is live or comes at their end.
"""

import os
import time

from ...job import Job
from ...serving.prom import Registry, load
from ...serving.stepper import Step

_IDLE = 30.0  # seconds between two logs of an idle scheduler
_DEVICE_TIMER = "SGLANG_ENABLE_METRICS_DEVICE_TIMER"
"""Without it, forward_execution_seconds_total stays without a sample."""


class Books:
    """Fed by the stepper, the front and the routes."""

    def __init__(self, model: str, kv_tokens: int, log_interval: int) -> None:
        labels = {"model_name": model, "engine_type": "unified"}
        rank = {"tp_rank": "0", "pp_rank": "0", "moe_ep_rank": "0"}
        families = load(__package__, "scheduler.tsv")
        self._scheduler = Registry(families, labels | rank, created=False)
        self._scheduler.put("sglang:max_total_num_tokens", kv_tokens)
        self._server = Registry(load(__package__, "server.tsv"), labels, created=False)
        self._kv_tokens, self._interval = kv_tokens, log_interval
        self._timed = os.environ.get(_DEVICE_TIMER, "").lower() in {"1", "true"}
        self._passes = 0
        self._logged = time.monotonic()

    def step(self, step: Step) -> None:
        """One pass: of prefill, or of decode."""
        add = self._scheduler.add
        prefill = step.prefilling > 0
        if prefill:
            add("sglang:cuda_graph_passes_total", mode="prefill_none")
            add("sglang:realtime_tokens_total", step.prefilled, mode="prefill_compute")
        else:
            self._passes += 1
            add("sglang:cuda_graph_passes_total", mode="decode_cuda_graph")
            add("sglang:realtime_tokens_total", len(step.tokens), mode="decode")
        if self._timed:
            category = "extend" if prefill else "decode"
            add("sglang:forward_execution_seconds_total", step.seconds, category=category)
        if prefill or self._passes % self._interval == 0:
            self._log(max(0, step.running - step.prefilling), step.waiting, step.kv_usage)
        for job in step.tokens:
            if job.generated > 1:
                self._server.observe("sglang:inter_token_latency_seconds", step.seconds)

    def idle(self) -> None:
        """Nothing runs and nothing waits."""
        if time.monotonic() > self._logged + _IDLE:
            self._log(0, 0, 0.0)

    def refused(self) -> None:
        """A request found the queue full; it counts as aborted."""
        self._server.add("sglang:num_aborted_requests_total")

    def ended(self, job: Job, reason: str) -> None:
        """A request ended; its tokens are counted now."""
        add, observe = self._server.add, self._server.observe
        add("sglang:num_requests_total")
        add("sglang:prompt_tokens_total", job.prompt_tokens)
        add("sglang:generation_tokens_total", job.generated)
        if reason in {"abort", "error"}:
            add("sglang:num_aborted_requests_total")
        observe("sglang:e2e_request_latency_seconds", time.monotonic() - job.queued_at)
        if job.started_at is not None and job.first_token_at is not None:
            observe("sglang:queue_time_seconds", job.started_at - job.queued_at)
            observe("sglang:time_to_first_token_seconds", job.first_token_at - job.queued_at)

    def asked(self, endpoint: str, method: str) -> None:
        """An HTTP request came."""
        self._server.add("sglang:http_requests_total", endpoint=endpoint, method=method)
        self._server.add("sglang:http_requests_active", endpoint=endpoint, method=method)

    def answered(self, endpoint: str, method: str, status: int) -> None:
        """It is answered, or its client is gone."""
        self._server.add("sglang:http_requests_active", -1, endpoint=endpoint, method=method)
        self._server.add(
            "sglang:http_responses_total",
            endpoint=endpoint,
            method=method,
            status_code=str(status),
        )

    def text(self) -> str:
        """The body of GET /metrics."""
        return self._scheduler.text() + self._server.text()

    def _log(self, running: int, waiting: int, usage: float) -> None:
        self._logged = time.monotonic()
        put = self._scheduler.put
        put("sglang:num_running_reqs", running)
        put("sglang:num_queue_reqs", waiting)
        put("sglang:token_usage", usage)
        put("sglang:num_used_tokens", int(usage * self._kv_tokens))
