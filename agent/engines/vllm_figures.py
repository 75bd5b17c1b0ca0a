"""What vLLM 0.33 calls what all engines tell. Its time per token is of the decode alone."""

from agent.engines import exposition
from agent.engines.figures import Names, Outcomes

KV_USE = "vllm:kv_cache_usage_perc"  # 0 to 1, whatever the name says
_INFO = "vllm:cache_config_info"
_SIZE = "kv_cache_size_tokens"  # a label

NAMES = Names(
    prompt_tokens="vllm:prompt_tokens_total",
    cached_prompt_tokens="vllm:prompt_tokens_cached_total",
    generated_tokens="vllm:generation_tokens_total",
    preemptions="vllm:num_preemptions_total",
    requests=(
        Outcomes(
            sample="vllm:request_success_total",
            label="finished_reason",
            known={"abort": "aborted", "error": "failed"},
            other="done",
        ),
        Outcomes(sample="vllm:admission_rejections_total", other="rejected"),
    ),
    seconds={
        "queue": "vllm:request_queue_time_seconds",
        "first_token": "vllm:time_to_first_token_seconds",
        "token": "vllm:request_time_per_output_token_seconds",
        "inter_token": "vllm:inter_token_latency_seconds",
        "request": "vllm:e2e_request_latency_seconds",
    },
)


def kv_capacity(metrics: str) -> float | None:
    """Return the tokens that the KV caches of all cores hold together; None = not told."""
    found = [one.labels.get(_SIZE, "") for one in exposition.series(metrics, _INFO)]
    return float(sum(map(int, found))) if found and all(map(str.isdigit, found)) else None
