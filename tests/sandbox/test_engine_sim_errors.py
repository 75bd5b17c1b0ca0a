"""What the HTTP API refuses, and in which shape."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.engine_sim.harness import Simulator, running

HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One engine for all tests of this file."""
    directory = tmp_path_factory.mktemp("engine")
    with running(
        directory, "--payload-limit", "10000", "--max-client-batch-size", "2"
    ) as simulator:
        yield simulator


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"max_new_tokens": 5000}, "`inputs` tokens + `max_new_tokens` must be <= 2048"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ({"temperature": 0}, "`temperature` must be strictly positive"),
        ({"best_of": 3}, "`best_of` must be > 0 and <= 2"),
        ({"stop": list("abcde")}, "supports up to 4 stop sequences"),
    ],
)
def test_what_is_not_allowed_is_a_validation_error(
    engine: Simulator, parameters: dict[str, object], words: str
) -> None:
    answer = engine.ask("/generate", {"inputs": "hello", "parameters": parameters})

    assert answer.status == 422
    assert answer.json["error_type"] == "validation"
    assert words in answer.json["error"]


def test_a_stream_hides_the_status_of_an_error(engine: Simulator) -> None:
    chat = {"messages": HELLO, "max_tokens": 5000, "stream": True}
    native = {"inputs": "hello", "parameters": {"max_new_tokens": 5000}}

    in_chat = engine.ask("/v1/chat/completions", chat)
    in_native = engine.ask("/generate_stream", native)

    assert (in_chat.status, in_native.status) == (200, 200)
    error, done = in_chat.events
    assert error["error"]["http_status_code"] == 422
    assert done == "[DONE]"
    assert [event["error_type"] for event in in_native.events] == ["validation"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        ("{", "application/json", 400, "Failed to parse the request body as JSON"),
        ("{}", "application/json", 422, "missing field `inputs`"),
        ('{"inputs": 1}', "application/json", 422, "invalid type"),
        ("{}", "text/plain", 415, "Expected request with `Content-Type: application/json`"),
        ('"' + "x" * 20000 + '"', "application/json", 413, "length limit exceeded"),
    ],
)
def test_a_body_that_cannot_be_read_gets_plain_text(
    engine: Simulator, body: str, kind: str, status: int, words: str
) -> None:
    answer = engine.ask("/generate", body, **{"Content-Type": kind})

    assert answer.status == status
    assert words in answer.text
    assert not answer.text.startswith("{")


def test_a_key_guards_generation_and_nothing_else(tmp_path: Path) -> None:
    with running(tmp_path, "--api-key", "Secret") as engine:
        body = {"inputs": "hello", "parameters": {"max_new_tokens": 1}}

        refused = engine.ask("/generate", body)

        assert (refused.status, refused.text) == (401, "")
        assert engine.ask("/generate", body, Authorization="Bearer secret").status == 200
        assert engine.ask("/health").status == 200
        assert engine.ask("/metrics").status == 200
