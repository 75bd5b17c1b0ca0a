"""Names and buckets of TGI's metrics."""

from collections.abc import Mapping, Sequence

REQUEST_COUNT = "tgi_request_count"
REQUEST_SUCCESS = "tgi_request_success"
REQUEST_FAILURE = "tgi_request_failure"
QUEUE_SIZE = "tgi_queue_size"
BATCH_CURRENT_SIZE = "tgi_batch_current_size"
BATCH_CURRENT_MAX_TOKENS = "tgi_batch_current_max_tokens"
BATCH_NEXT_SIZE = "tgi_batch_next_size"
BATCH_CONCAT = "tgi_batch_concat"
BATCH_INFERENCE_COUNT = "tgi_batch_inference_count"
BATCH_INFERENCE_SUCCESS = "tgi_batch_inference_success"
BATCH_INFERENCE_FAILURE = "tgi_batch_inference_failure"

_DURATIONS = (
    "tgi_request_duration",
    "tgi_request_validation_duration",
    "tgi_request_queue_duration",
    "tgi_request_inference_duration",
    "tgi_request_mean_time_per_token_duration",
    "tgi_batch_inference_duration",
    "tgi_batch_forward_duration",
    "tgi_batch_decode_duration",
    "tgi_batch_filter_duration",
    "tgi_batch_concat_duration",
)


def buckets(max_input_tokens: int, max_total_tokens: int) -> Mapping[str, Sequence[float]]:
    """The buckets of every histogram (tgi_request_skipped_tokens has none: it is a summary)."""
    durations = [0.00015 * 1.5**step for step in range(35)]
    return dict.fromkeys(_DURATIONS, durations) | {
        "tgi_request_generated_tokens": _linear(max_total_tokens),
        "tgi_request_max_new_tokens": _linear(max_total_tokens),
        "tgi_request_input_length": _linear(max_input_tokens),
        BATCH_NEXT_SIZE: [float(size) for size in range(1, 1025)],
    }


def _linear(top: int) -> list[float]:
    return [top / 100 * step for step in range(1, 101)]
