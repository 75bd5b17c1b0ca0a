"""Errors of the HTTP API: status, error_type and wording of each."""

from dataclasses import dataclass


@dataclass
class InferError(Exception):
    """A request that ends in an error with a JSON body ``{error, error_type}``."""

    status: int
    error_type: str
    message: str
    metric: str | None = None
    """The ``err`` label under which it is counted; None for errors that are not."""


class BodyError(Exception):
    """A request whose body cannot be read: plain text, as the web framework answers."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def overloaded() -> InferError:
    """All permits are taken."""
    return InferError(429, "overloaded", "Model is overloaded", "overloaded")


def validation(message: str) -> InferError:
    """The request is well-formed but not allowed."""
    return InferError(422, "validation", f"Input validation error: {message}", "validation")


def generation(message: str) -> InferError:
    """A shard failed."""
    return InferError(
        424, "generation", f"Request failed during generation: {message}", "generation"
    )


def incomplete(*, stream: bool) -> InferError:
    """The batching task dropped the request."""
    if stream:
        return InferError(
            500, "incomplete_generation_stream", "Incomplete generation stream", "incomplete"
        )
    return InferError(500, "incomplete_generation", "Incomplete generation", "incomplete")


def template(message: str) -> InferError:
    """The chat template is missing or broken."""
    return InferError(422, "template_error", f"Template error: {message}", "template")


def tool(message: str) -> InferError:
    """Tools and grammar contradict each other."""
    return InferError(422, "tool_error", f"Tool error: {message}", "validation")
