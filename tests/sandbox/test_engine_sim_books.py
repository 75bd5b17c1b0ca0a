"""Metrics and the ledger of requests."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.engine_sim.harness import Simulator, running, wait_for

HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One engine for all tests of this file."""
    directory = tmp_path_factory.mktemp("engine")
    with running(directory) as simulator:
        yield simulator


def test_counters_appear_with_their_first_use_and_openai_calls_count_twice(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as engine:
        assert "tgi_" not in engine.ask("/metrics").text

        engine.ask("/generate", {"inputs": "hello", "parameters": {"max_new_tokens": 2}})
        assert engine.metric("tgi_request_count") == 1
        engine.ask("/v1/chat/completions", {"messages": HELLO, "max_tokens": 2})

        assert engine.metric("tgi_request_count") == 3
        assert engine.metric("tgi_request_success") == 2
        assert engine.metric('tgi_request_failure{err="overloaded"}') is None
        assert engine.metric("tgi_queue_size") == 0
        assert engine.metric("tgi_batch_current_size") == 0
        for method in ("prefill", "decode"):
            count = engine.metric(f'tgi_batch_inference_count{{method="{method}"}}')
            assert count == 2
            assert count == engine.metric(f'tgi_batch_inference_success{{method="{method}"}}')
        assert engine.metric('tgi_request_duration_bucket{le="+Inf"}') == 2
        assert engine.metric("tgi_request_generated_tokens_sum") == 4


def test_a_client_that_goes_away_is_dropped_and_accounted_for(engine: Simulator) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", engine.port)
    body = {"inputs": "hello", "parameters": {"max_new_tokens": 1000}}
    headers = {"Content-Type": "application/json", "X-Request-Id": "leaver"}
    connection.request("POST", "/generate_stream", json.dumps(body), headers)
    connection.getresponse().readline()

    connection.close()

    wait_for(lambda: "dropped" in engine.control("/requests")["leaver"], "request dropped")
    wait_for(lambda: engine.metric("tgi_batch_current_size") == 0, "batch empty")
    assert engine.metric('tgi_request_failure{err="dropped"}') == 1


def test_the_ledger_knows_every_request_by_its_id(engine: Simulator) -> None:
    body = {"messages": HELLO, "max_tokens": 1, "user": "ledger-1"}

    engine.ask("/v1/chat/completions", body)
    engine.ask("/generate", {"inputs": "", "parameters": {}}, **{"X-Request-Id": "ledger-2"})

    requests = engine.control("/requests")
    assert requests["ledger-1"] == {"received": 1, "started": 1, "finished": 1}
    assert requests["ledger-2"] == {"received": 1, "rejected": 1}
