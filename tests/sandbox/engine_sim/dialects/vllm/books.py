"""vLLM's metrics, kept as its stat loggers keep them.

`vllm:iteration_tokens_total` counts only the steps that give somebody a token: while nothing but
a chunked prefill runs, its count stands still, and the gauge of the KV cache alone moves
(AsyncLLM's output handler makes no IterationStats for a step without outputs). All gauges come
with a step: they freeze when the engine core does.
"""

import time

from ...job import Job
from ...serving.prom import Registry, braces, load
from ...serving.stepper import Step


class Books:
    """Fed by the stepper and by the front."""

    def __init__(self, model: str, kv_tokens: int, *, created: bool) -> None:
        self._labels = {"engine": "0", "model_name": model}
        self._registry = Registry(load(__package__), self._labels, created=created)
        self._registry.put("vllm:engine_sleep_state", 1, sleep_state="awake")
        self._cache = {
            "block_size": "16",
            "cache_dtype": "auto",
            "enable_prefix_caching": "True",
            "gpu_memory_utilization": "0.92",
            "kv_cache_size_tokens": str(kv_tokens),
            "num_gpu_blocks": str(kv_tokens // 16),
        }
        self._http: dict[tuple[str, str, str], int] = {}

    def step(self, step: Step) -> None:
        """The scheduler's gauges; and the iteration, if it gave any token."""
        put, add = self._registry.put, self._registry.add
        put("vllm:num_requests_running", step.running)
        put("vllm:num_requests_waiting", step.waiting)
        put("vllm:num_requests_waiting_by_reason", step.waiting, reason="capacity")
        put("vllm:kv_cache_usage_perc", step.kv_usage)
        if not step.tokens:
            return
        prompts = sum(job.prompt_tokens for job in step.prompts)
        add("vllm:prompt_tokens_total", prompts)
        add("vllm:prompt_tokens_by_source_total", prompts, source="local_compute")
        add("vllm:prefix_cache_queries_total", prompts)
        add("vllm:generation_tokens_total", len(step.tokens))
        self._registry.observe("vllm:iteration_tokens_total", prompts + len(step.tokens))
        for job in step.tokens:
            if job.generated == 1:
                waited = (job.first_token_at or 0) - job.queued_at
                self._registry.observe("vllm:time_to_first_token_seconds", waited)
            else:
                self._registry.observe("vllm:inter_token_latency_seconds", step.seconds)

    def refused(self) -> None:
        """A request found --max-num-queued-reqs others."""
        self._registry.add("vllm:admission_rejections_total", reason="max_num_queued_reqs")

    def ended(self, job: Job, reason: str) -> None:
        """A request ended; one that never began leaves no times."""
        self._registry.add("vllm:request_success_total", finished_reason=reason)
        if job.started_at is None or job.first_token_at is None:
            return
        now, observe = time.monotonic(), self._registry.observe
        decode = now - job.first_token_at
        for name, value in (
            ("e2e_request_latency_seconds", now - job.queued_at),
            ("request_queue_time_seconds", job.started_at - job.queued_at),
            ("request_inference_time_seconds", now - job.started_at),
            ("request_prefill_time_seconds", job.first_token_at - job.started_at),
            ("request_decode_time_seconds", decode),
            ("request_time_per_output_token_seconds", decode / max(1, job.generated - 1)),
            ("request_prompt_tokens", job.prompt_tokens),
            ("request_generation_tokens", job.generated),
            ("request_params_n", 1),
        ):
            observe(f"vllm:{name}", value)

    def answered(self, handler: str, method: str, status: int) -> None:
        """An HTTP answer; /health and /metrics are not counted."""
        key = (handler, method, f"{status // 100}xx")
        self._http[key] = self._http.get(key, 0) + 1

    def text(self) -> str:
        """The body of GET /metrics."""
        cache = braces(tuple((self._cache | {"engine": "0"}).items()))
        lines = [
            "# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig",
            "# TYPE vllm:cache_config_info gauge",
            f"vllm:cache_config_info{cache} 1.0",
            "# HELP http_requests_total Total number of requests by method, status and handler.",
            "# TYPE http_requests_total counter",
        ]
        for (handler, method, status), count in self._http.items():
            labels = (("handler", handler), ("method", method), ("status", status))
            lines.append(f"http_requests_total{braces(labels)} {count}.0")
        return self._registry.text() + "\n".join(lines) + "\n"
