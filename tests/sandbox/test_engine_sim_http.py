"""The HTTP contract of a healthy engine."""

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


@pytest.mark.parametrize("path", ["/", "/health", "/ping"])
def test_health_answers_with_an_empty_body(engine: Simulator, path: str) -> None:
    answer = engine.ask(path)

    assert (answer.status, answer.text) == (200, "")


def test_info_tells_the_limits(engine: Simulator) -> None:
    info = engine.ask("/info").json

    assert info["max_total_tokens"] == 2048
    assert info["max_input_tokens"] == 2047
    assert info["max_concurrent_requests"] == 128
    assert info["model_sha"] is None
    assert engine.ask("/v1/models").json["data"][0]["id"] == info["model_id"]


def test_chat_answers_in_one_piece(engine: Simulator) -> None:
    answer = engine.ask("/v1/chat/completions", {"messages": HELLO, "max_tokens": 4, "model": "m"})

    content = answer.json
    assert answer.status == 200
    assert content["object"] == "chat.completion"
    assert content["model"] == "m"
    choice = content["choices"][0]
    assert choice["message"]["role"] == "assistant"
    assert len(choice["message"]["content"].split()) == 4
    assert choice["finish_reason"] == "length"
    assert content["usage"]["completion_tokens"] == 4
    assert answer.headers["x-generated-tokens"] == "4"
    assert "Server" not in answer.headers


def test_the_same_prompt_gets_the_same_words_and_ends_by_itself(engine: Simulator) -> None:
    first, second = (engine.ask("/v1/chat/completions", {"messages": HELLO}).json for _ in "12")

    assert first["choices"] == second["choices"]
    assert first["choices"][0]["finish_reason"] == "stop"
    assert first["usage"]["completion_tokens"] == 20


def test_a_chat_stream_comes_token_by_token(engine: Simulator) -> None:
    engine.fault(kind="slow", tokens_per_second=2)
    body = {"messages": HELLO, "max_tokens": 6, "stream": True, "user": "watcher"}

    response = engine.open("/v1/chat/completions", body)
    first, _, second = (response.readline() for _ in range(3))
    books = engine.control("/requests")["watcher"]
    engine.fault(kind="clear")
    rest = response.read().decode()

    assert first.startswith(b"data: {")
    assert second.startswith(b"data: {")
    assert "finished" not in books  # two tokens are here, and the text is not yet complete
    assert rest.count("data: {") == 4
    assert response.getheader("Content-Type") == "text/event-stream"
    assert response.getheader("X-Accel-Buffering") == "no"


def test_a_chat_stream_closes_with_usage_and_done(engine: Simulator) -> None:
    body = {"messages": HELLO, "max_tokens": 2, "stream": True}
    body["stream_options"] = {"include_usage": True}

    *tokens, usage, done = engine.ask("/v1/chat/completions", body).events

    assert [one["choices"][0]["finish_reason"] for one in tokens] == [None, "length"]
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 2
    assert done == "[DONE]"


def test_the_native_stream_has_no_done(engine: Simulator) -> None:
    body = {"inputs": "hello", "parameters": {"max_new_tokens": 3}}

    events = engine.ask("/generate_stream", body).events

    assert [event["index"] for event in events] == [1, 2, 3]
    assert [event["generated_text"] is None for event in events] == [True, True, False]
    assert events[-1]["generated_text"] == "".join(event["token"]["text"] for event in events)
    assert events[-1]["details"]["finish_reason"] == "length"


def test_generate_and_its_list_form(engine: Simulator) -> None:
    body = {"inputs": "hello", "parameters": {"max_new_tokens": 2, "details": True}}

    one, many = engine.ask("/generate", body).json, engine.ask("/", body).json

    assert many == [one]
    assert one["details"]["generated_tokens"] == 2


def test_completions_take_several_prompts_up_to_the_limit(engine: Simulator) -> None:
    path = "/v1/completions"

    good = engine.ask(path, {"prompt": ["a", "b"], "max_tokens": 1})
    bad = engine.ask(path, {"prompt": ["a", "b", "c"], "max_tokens": 1})

    assert [choice["index"] for choice in good.json["choices"]] == [0, 1]
    assert bad.status == 422
    assert "maximum allowed batch size of 2" in bad.json["error"]


def test_tokenize_gives_the_pieces(engine: Simulator) -> None:
    pieces = engine.ask("/tokenize", {"inputs": "hello, you"}).json

    assert [piece["text"] for piece in pieces] == ["hello", ",", "you"]
    assert (pieces[2]["start"], pieces[2]["stop"]) == (7, 10)


def test_silence_in_a_stream_is_filled_with_comments(tmp_path: Path) -> None:
    with running(tmp_path, tokens_per_second=4, keepalive_seconds=0.05) as engine:
        body = {"inputs": "hello", "parameters": {"max_new_tokens": 1}}

        text = engine.ask("/generate_stream", body).text

        assert text.startswith(":\n\n")
