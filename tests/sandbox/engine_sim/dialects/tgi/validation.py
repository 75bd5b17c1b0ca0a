"""What the router refuses before anything is generated (HTTP 422, "validation")."""

from dataclasses import dataclass

from ...words import split
from .body import Generation
from .errors import validation

DEFAULT_NEW_TOKENS = 20
"""How long a text gets that ends by itself. (The real router reserves all remaining context.)"""


@dataclass(frozen=True)
class Limits:
    """The router's limits on one request."""

    max_input_tokens: int
    max_total_tokens: int
    max_best_of: int
    max_stop_sequences: int
    max_top_n_tokens: int
    grammar_support: bool


@dataclass(frozen=True)
class Valid:
    """The token counts of a request that may run."""

    prompt_tokens: int
    max_new_tokens: int
    natural_end: bool


def validate(request: Generation, limits: Limits) -> Valid:
    """Check a request; InferError 422 for the first thing that is not allowed."""
    _check_sampling(request)
    if len(request.stop) > limits.max_stop_sequences:
        raise validation(
            f"`stop` supports up to {limits.max_stop_sequences} stop sequences. "
            f"Given: {len(request.stop)}"
        )
    best_of = request.best_of
    if best_of is not None and not 0 < best_of <= limits.max_best_of:
        raise validation(f"`best_of` must be > 0 and <= {limits.max_best_of}. Given: {best_of}")
    top_n = request.top_n_tokens or 0
    if top_n > limits.max_top_n_tokens:
        raise validation(
            f"`top_n_tokens` must be >= 0 and <= {limits.max_top_n_tokens}. Given: {top_n}"
        )
    if request.grammar and not limits.grammar_support:
        raise validation("grammar is not supported")
    if request.max_new_tokens == 0:
        raise validation("`max_new_tokens` must be strictly positive")
    return _check_length(request, limits)


def _check_sampling(request: Generation) -> None:
    if request.temperature is not None and request.temperature <= 0:
        raise validation("`temperature` must be strictly positive")
    if request.repetition_penalty is not None and request.repetition_penalty <= 0:
        raise validation("`repetition_penalty` must be strictly positive")
    if request.top_p is not None and not 0 < request.top_p < 1:
        raise validation("`top_p` must be > 0.0 and < 1.0")
    if request.top_k == 0:
        raise validation("`top_k` must be strictly positive")


def _check_length(request: Generation, limits: Limits) -> Valid:
    if not request.inputs:
        raise validation("`inputs` cannot be empty")
    prompt = max(1, len(split(request.inputs)))
    if prompt > limits.max_input_tokens:
        raise validation(
            f"`inputs` must have less than {limits.max_input_tokens} tokens. Given: {prompt}"
        )
    wanted = request.max_new_tokens
    if wanted is not None and prompt + wanted > limits.max_total_tokens:
        raise validation(
            f"`inputs` tokens + `max_new_tokens` must be <= {limits.max_total_tokens}. "
            f"Given: {prompt} `inputs` tokens and {wanted} `max_new_tokens`"
        )
    room = limits.max_total_tokens - prompt
    return Valid(prompt, wanted or min(DEFAULT_NEW_TOKENS, room), natural_end=wanted is None)
