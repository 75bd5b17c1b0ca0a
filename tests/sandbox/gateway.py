"""A client of one host's gateway, as an application would have: TLS by the fleet's CA, a key."""

import http.client
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body, decoded."""
        return json.loads(self.body)


@dataclass
class Stream:
    """A streamed chat completion: iterate for its pieces of text, as they arrive.

    `arrivals` are the seconds since the request at which each piece came; `finished` is true
    once the engine's own end mark was seen, `error` holds an error sent inside the stream.
    """

    status: int
    headers: Mapping[str, str]
    _pieces: Iterator[str] = field(repr=False)
    arrivals: list[float] = field(default_factory=list)
    finished: bool = False
    error: str | None = None

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def text(self) -> str:
        """Read to the end and return the whole text."""
        return "".join(self)


class Gateway:
    """One gateway at `address`, for which its certificate is checked; `name` is what it is called.

    A gateway with a name of its own answers to no other.
    """

    def __init__(
        self, address: str, ca: Path, key: str, port: int = 443, name: str | None = None
    ) -> None:
        self._address, self._port, self.key = address, port, key
        self._name = name or address
        self._tls = ssl.create_default_context(cafile=str(ca))

    def request(
        self,
        method: str,
        path: str,
        body: object | None = None,
        key: str | None = "",
        timeout: float = 60.0,
    ) -> Answer:
        """Send one request; `key` "" is the good one, None sends none."""
        with closing(self._send(method, path, body, key, timeout)) as connection:
            answer = connection.getresponse()
            return Answer(answer.status, _headers(answer), answer.read())

    def chat(self, prompt: str, *, max_tokens: int = 20, model: str = "default") -> Answer:
        """Ask for one chat completion, not streamed."""
        return self.request("POST", "/v1/chat/completions", _chat(prompt, max_tokens, model))

    def stream(
        self, prompt: str, *, max_tokens: int = 20, model: str = "default", timeout: float = 60.0
    ) -> Stream:
        """Ask for a streamed chat completion; returns once the headers are there."""
        body = {**_chat(prompt, max_tokens, model), "stream": True}
        begun = time.monotonic()
        connection = self._send("POST", "/v1/chat/completions", body, "", timeout)
        answer = connection.getresponse()
        stream = Stream(answer.status, _headers(answer), iter(()))
        stream._pieces = _pieces(stream, connection, answer, begun)
        return stream

    def _send(
        self, method: str, path: str, body: object | None, key: str | None, timeout: float
    ) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection(
            self._address, self._port, timeout=timeout, context=self._tls
        )
        headers = {"Host": self._name}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Authorization"] = f"Bearer {key or self.key}"
        content = json.dumps(body).encode() if body is not None else None
        connection.request(method, path, content, headers)
        return connection


def _pieces(
    stream: Stream,
    connection: http.client.HTTPSConnection,
    answer: http.client.HTTPResponse,
    begun: float,
) -> Iterator[str]:
    with closing(connection):
        for raw in answer:
            line = raw.decode().strip()
            if not line.startswith("data:"):
                continue
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                stream.finished = True
                return
            event = json.loads(data)
            if "error" in event:
                stream.error = json.dumps(event["error"])
                continue
            piece = event["choices"][0]["delta"].get("content") if event["choices"] else None
            if piece:
                stream.arrivals.append(time.monotonic() - begun)
                yield piece


def _chat(prompt: str, max_tokens: int, model: str) -> dict[str, object]:
    messages = [{"role": "user", "content": prompt}]
    # Near 0: the likeliest words. Not 0, which not every engine takes.
    return {"model": model, "messages": messages, "max_tokens": max_tokens, "temperature": 0.01}


def _headers(answer: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.getheaders()}
