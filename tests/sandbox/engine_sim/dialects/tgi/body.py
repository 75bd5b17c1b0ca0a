"""Request bodies: JSON to typed fields, refused in the web framework's words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import BodyError

_BAD_TYPE = "Failed to deserialize the JSON body into the target type"


@dataclass(frozen=True)
class Generation:
    """What to generate; the same for every route."""

    inputs: str
    request_id: str
    max_new_tokens: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    best_of: int | None = None
    top_n_tokens: int | None = None
    stop: tuple[str, ...] = ()
    grammar: bool = False
    details: bool = False


def read_json(content_type: str, body: bytes) -> dict[str, Any]:
    """The body as an object; BodyError 415, 400 or 422."""
    if content_type.split(";", maxsplit=1)[0].strip().lower() != "application/json":
        raise BodyError(415, "Expected request with `Content-Type: application/json`")
    try:
        content = json.loads(body)
    except ValueError as error:
        raise BodyError(400, f"Failed to parse the request body as JSON: {error}") from error
    if not isinstance(content, dict):
        raise BodyError(422, f"{_BAD_TYPE}: invalid type: expected struct at line 1 column 0")
    return content


def field(content: Mapping[str, Any], name: str, kind: type, *, required: bool = False) -> Any:
    """A field of the wanted type, or None when absent or null; BodyError 422 otherwise."""
    value = content.get(name)
    if value is None:
        if required:
            raise BodyError(422, f"{_BAD_TYPE}: missing field `{name}` at line 1 column 2")
        return None
    kinds = (int, float) if kind is float else (kind,)
    wrong = not isinstance(value, kinds) or (kind is not bool and isinstance(value, bool))
    if wrong or (kind is int and value < 0):
        raise BodyError(
            422, f"{_BAD_TYPE}: {name}: invalid type, expected {kind.__name__} at line 1 column 2"
        )
    return value


def native(content: Mapping[str, Any], request_id: str) -> Generation:
    """The body of /generate and /generate_stream."""
    inputs = field(content, "inputs", str, required=True)
    parameters = field(content, "parameters", dict) or {}
    return Generation(
        inputs=inputs,
        request_id=request_id,
        max_new_tokens=field(parameters, "max_new_tokens", int),
        temperature=field(parameters, "temperature", float),
        top_k=field(parameters, "top_k", int),
        top_p=field(parameters, "top_p", float),
        repetition_penalty=field(parameters, "repetition_penalty", float),
        best_of=field(parameters, "best_of", int),
        top_n_tokens=field(parameters, "top_n_tokens", int),
        stop=tuple(field(parameters, "stop", list) or ()),
        grammar=parameters.get("grammar") is not None,
        details=bool(field(parameters, "details", bool)),
    )


def openai(content: Mapping[str, Any], prompt: str, request_id: str) -> Generation:
    """The sampling fields of /v1/chat/completions and /v1/completions."""
    stop = content.get("stop")
    temperature = field(content, "temperature", float)
    return Generation(
        inputs=prompt,
        request_id=request_id,
        max_new_tokens=field(content, "max_tokens", int),
        temperature=temperature or None,  # 0 means greedy on these routes
        top_p=field(content, "top_p", float),
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        top_n_tokens=field(content, "top_logprobs", int),
        grammar=content.get("response_format") is not None,
    )
