"""What TGI 3.3 calls what all engines tell.

It has no time to first token. Its time per token is that of the whole computation, the prompt
included, by the tokens generated. Each name appears with its first event. Tokens and durations
count when a request ends, and only if it ends well.
"""

from agent.engines.figures import Names, Outcomes

NAMES = Names(
    prompt_tokens="tgi_request_input_length_sum",
    generated_tokens="tgi_request_generated_tokens_sum",
    requests=(
        Outcomes(sample="tgi_request_success", other="done"),
        Outcomes(
            sample="tgi_request_failure",
            label="err",
            known={"overloaded": "rejected", "dropped": "aborted"},
            other="failed",
        ),
    ),
    seconds={
        "queue": "tgi_request_queue_duration",
        "token": "tgi_request_mean_time_per_token_duration",
        "request": "tgi_request_duration",
    },
)
