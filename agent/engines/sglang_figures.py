"""What SGLang 0.5.23 calls what all engines tell.

Requests and their tokens count when they end; of those that end, the aborted ones may be counted
as done too, for the two counters do not move together. Its time per token is of the decode alone.
"""

from agent.engines.figures import Names, Outcomes

KV_USE = "sglang:token_usage"
KV_CAPACITY = "sglang:max_total_num_tokens"
DECODED = "sglang:realtime_tokens_total"  # moves with the scheduler's log, every 40th step

NAMES = Names(
    prompt_tokens="sglang:prompt_tokens_total",
    cached_prompt_tokens="sglang:cached_tokens_total",
    generated_tokens="sglang:generation_tokens_total",
    preemptions="sglang:num_retracted_requests_total",
    requests=(
        Outcomes(sample="sglang:num_requests_total", other="done"),
        Outcomes(sample="sglang:num_aborted_requests_total", other="aborted"),
        Outcomes(
            sample="sglang:http_responses_total", label="status_code", known={"503": "rejected"}
        ),
    ),
    seconds={
        "queue": "sglang:queue_time_seconds",
        "first_token": "sglang:time_to_first_token_seconds",
        "token": "sglang:request_time_per_output_token_seconds",
        "inter_token": "sglang:inter_token_latency_seconds",
        "request": "sglang:e2e_request_latency_seconds",
    },
)
