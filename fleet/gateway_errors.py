"""What the gateway itself answers when it lets a request not through, in OpenAI's shape. Pure."""

from collections.abc import Iterable

from msgspec import Struct

WRONG, BUSY, OURS = "invalid_request_error", "rate_limit_error", "server_error"


# Also: a Transfer-Encoding or an HTTP version that nginx does not know, plain HTTP on port 443.
STRANGE = (400, 411, 412, 416, 495, 496, 497, 501, 505)


class Refusal(Struct, frozen=True):
    """One answer: nginx's location for it, and which of nginx's own `statuses` lead there.

    A named place (@) remembers what the request was; it cannot be had for a request whose address
    was not understood. An engine's own errors pass as they are. Texts must not hold a quote, `$` or
    a backslash.
    """

    place: str
    status: int
    statuses: tuple[int, ...]
    type: str
    code: str
    text: str

    @property
    def location(self) -> str:
        """How nginx's configuration introduces the place."""
        return self.place if self.place.startswith("@") else f"= {self.place}"


def refusals(max_body_mib: int, server_name: str, models: Iterable[str]) -> tuple[Refusal, ...]:
    """Return all of them, for one host."""
    there = ", ".join(models)
    body = f"The request is larger than {max_body_mib} MiB."
    host = f"This gateway answers for {server_name} only."
    model = f"The model does not exist here; there are {there}."
    keys = "The API key is missing or not known here."
    often = "Too many requests with this key or from this address."
    return (
        Refusal("@unauthorized", 401, (), WRONG, "invalid_api_key", keys),
        Refusal("/_stoker/bad_request", 400, STRANGE, WRONG, "bad_request", _UNREADABLE),
        Refusal("/_stoker/headers", 431, (494,), WRONG, "headers_too_large", _HEADERS),
        Refusal(
            "/_stoker/address", 414, (414,), WRONG, "address_too_long", "The address is too long."
        ),
        Refusal("@not_found", 404, (404,), WRONG, "not_found", "There is nothing at this address."),
        Refusal("@no_such_model", 404, (), WRONG, "model_not_found", model),
        Refusal("@method", 405, (405,), WRONG, "method_not_allowed", _METHOD),
        Refusal("@misdirected", 421, (421,), WRONG, "misdirected_request", host),
        Refusal("@too_large", 413, (413,), WRONG, "request_too_large", body),
        Refusal("@throttled", 429, (429,), BUSY, "rate_limit_exceeded", often),
        Refusal("@closed", 503, (503,), OURS, "engine_not_serving", _CLOSED),
        Refusal("@unavailable", 503, (502,), OURS, "engine_unavailable", _UNAVAILABLE),
        Refusal("@failed", 500, (500,), OURS, "gateway_failed", _FAILED),
        Refusal("@late", 504, (504,), OURS, "engine_timeout", _LATE),
    )


_UNREADABLE = "The request could not be read."
_HEADERS = "The headers of the request are too large."
_METHOD = "This address does not take that method."
_CLOSED = "The engine is not taking new requests now."
_UNAVAILABLE = "The engine did not answer."
_FAILED = "The gateway failed; its error log says why."
_LATE = "The engine did not answer in time."
