"""OpenAI's API as vLLM and SGLang speak it: bodies in, bodies and events out."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ..job import Token
from ..words import split

FINISH = {"length": "length", "eos": "stop", "stop": "stop", "abort": "abort", None: None}
DONE = b"data: [DONE]\n\n"
DEFAULT_TOKENS = 20
"""How long a text gets that ends by itself."""


class RefusedError(Exception):
    """An answer other than 200, before anything was generated."""

    def __init__(self, status: int, message: str, kind: str) -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


@dataclass(frozen=True)
class Call:
    """One request to /v1/chat/completions or /v1/completions."""

    chat: bool
    model: str
    prompt: str
    max_tokens: int | None
    stop: tuple[str, ...]
    stream: bool
    usage: bool
    """A stream ends with an event of token counts."""
    request_id: str

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, at least one."""
        return max(1, len(split(self.prompt)))


async def read(request: web.Request, models: tuple[str, ...], max_model_len: int) -> Call:
    """Read a request; RefusedError 400 or 404."""
    chat = request.path.endswith("/chat/completions")
    content = await _json(request)
    stop, options = content.get("stop"), content.get("stream_options") or {}
    asked = content.get("max_completion_tokens", content.get("max_tokens"))
    call = Call(
        chat=chat,
        model=str(content.get("model") or models[0]),
        prompt=_templated(content.get("messages")) if chat else _prompt(content.get("prompt")),
        max_tokens=asked,
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        stream=bool(content.get("stream")),
        usage=bool(options.get("include_usage")),
        request_id=request.headers.get("X-Request-Id") or str(content.get("user") or ""),
    )
    if call.model not in models:
        raise RefusedError(404, f"The model `{call.model}` does not exist.", "NotFoundError")
    if asked is not None and (not isinstance(asked, int) or asked < 1):
        raise RefusedError(400, f"max_tokens must be at least 1, got {asked}.", "BadRequestError")
    if call.prompt_tokens + (asked or 1) > max_model_len:
        raise RefusedError(
            400,
            f"This model's maximum context length is {max_model_len} tokens. However, you "
            f"requested {asked or 1} output tokens and your prompt contains {call.prompt_tokens} "
            "input tokens. Please reduce the length of the input prompt or the number of "
            "requested output tokens.",
            "BadRequestError",
        )
    return call


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        content = json.loads(await request.read())
    except ValueError as error:
        raise RefusedError(400, f"JSON decode error: {error}", "BadRequestError") from error
    if not isinstance(content, dict):
        raise RefusedError(400, "Input should be a valid dictionary", "BadRequestError")
    return content


def _templated(messages: Any) -> str:
    if not isinstance(messages, list) or not all(isinstance(turn, dict) for turn in messages):
        raise RefusedError(400, "messages: Field required", "BadRequestError")
    turns = [f"<|{turn.get('role')}|>\n{_text(turn.get('content'))}" for turn in messages]
    return "\n".join([*turns, "<|assistant|>\n"])


def _text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _prompt(prompt: Any) -> str:
    first = prompt[0] if isinstance(prompt, list) and prompt else prompt
    if not isinstance(first, str):
        raise RefusedError(400, "prompt: Field required", "BadRequestError")
    return first


@dataclass(frozen=True)
class Answer:
    """The fields that every part of one answer repeats."""

    call: Call
    id: str
    created: int

    @classmethod
    def to(cls, call: Call) -> "Answer":
        """An answer to `call`, begun now."""
        prefix = "chatcmpl" if call.chat else "cmpl"
        return cls(call, f"{prefix}-{uuid.uuid4().hex}", int(time.time()))

    def whole(self, tokens: list[Token]) -> dict[str, Any]:
        """The answer in one piece."""
        text = "".join(token.text for token in tokens)
        said: dict[str, Any] = {"text": text}
        if self.call.chat:
            said = {"message": {"role": "assistant", "content": text}}
        finish = FINISH[tokens[-1].finish]
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": finish}
        usage = self.usage(len(tokens))
        return self._head(streamed=False) | {"choices": [choice], "usage": usage}

    def opening(self) -> bytes:
        """The event before the first token; a chat has one."""
        return self._event({"role": "assistant", "content": ""}, None) if self.call.chat else b""

    def token(self, token: Token) -> bytes:
        """The event of one token."""
        said = {"content": token.text} if self.call.chat else token.text
        return self._event(said, FINISH[token.finish])

    def closing(self, generated: int) -> bytes:
        """The event of the token counts, where asked for."""
        if not self.call.usage:
            return b""
        return event(self._head(streamed=True) | {"choices": [], "usage": self.usage(generated)})

    def usage(self, generated: int) -> dict[str, int]:
        """Token counts."""
        prompt = self.call.prompt_tokens
        return {
            "prompt_tokens": prompt,
            "total_tokens": prompt + generated,
            "completion_tokens": generated,
        }

    def _event(self, said: Any, finish: str | None) -> bytes:
        key = "delta" if self.call.chat else "text"
        choice = {"index": 0, key: said, "logprobs": None, "finish_reason": finish}
        return event(self._head(streamed=True) | {"choices": [choice]})

    def _head(self, *, streamed: bool) -> dict[str, Any]:
        kind = "text_completion"
        if self.call.chat:
            kind = "chat.completion.chunk" if streamed else "chat.completion"
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.call.model,
        }


def event(content: Mapping[str, Any]) -> bytes:
    """A server-sent event."""
    return f"data: {json.dumps(content)}\n\n".encode()


def error(status: int, message: str, kind: str) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {"message": message, "type": kind, "param": None, "code": status}}
