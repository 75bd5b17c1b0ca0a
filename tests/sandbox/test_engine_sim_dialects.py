"""vLLM and SGLang, healthy: command line, start, API and metrics."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.sandbox.engine_sim.harness import (
    Simulator,
    command,
    make_model,
    running,
    wait_for,
)

DIALECTS = ("vllm", "sglang")
HELLO = {"messages": [{"role": "user", "content": "hello there"}], "max_tokens": 4}
LOADING = {"vllm": "Initializing a V1 LLM engine", "sglang": "Load weight begin"}
HEALTHY = {"vllm": "/health", "sglang": "/ready"}


@pytest.fixture(scope="module", params=DIALECTS)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Simulator]]:
    """One engine of each dialect for all tests that leave it healthy."""
    name = request.param
    flags = ("--served-model-name", "chat")
    directory = tmp_path_factory.mktemp(name)
    with running(directory, *flags, dialect=name) as simulator:
        path = HEALTHY[name]
        wait_for(lambda: simulator.ask(path).status == 200, f"{path} 200")
        yield name, simulator


def test_the_model_goes_by_its_served_name(engine: tuple[str, Simulator]) -> None:
    _, simulator = engine

    listed = simulator.ask("/v1/models").json["data"]

    assert [(one["id"], one["max_model_len"]) for one in listed] == [("chat", 2048)]
    refused = simulator.ask("/v1/chat/completions", HELLO | {"model": "other"})
    assert refused.status == 404
    assert refused.json["error"]["message"] == "The model `other` does not exist."


def test_a_chat_in_one_piece(engine: tuple[str, Simulator]) -> None:
    _, simulator = engine

    content = simulator.ask("/v1/chat/completions", HELLO | {"model": "chat"}).json

    choice = content["choices"][0]
    assert len(choice["message"]["content"].split()) == 4
    assert choice["finish_reason"] == "length"
    assert content["usage"]["completion_tokens"] == 4


def test_a_chat_as_a_stream(engine: tuple[str, Simulator]) -> None:
    _, simulator = engine
    body = HELLO | {"stream": True, "stream_options": {"include_usage": True}}

    opening, *tokens, usage, done = simulator.ask("/v1/chat/completions", body).events

    assert opening["choices"][0]["delta"]["role"] == "assistant"
    assert [one["choices"][0]["finish_reason"] for one in tokens] == [None, None, None, "length"]
    assert usage["usage"]["completion_tokens"] == 4
    assert done == "[DONE]"


def test_a_completion(engine: tuple[str, Simulator]) -> None:
    _, simulator = engine

    content = simulator.ask("/v1/completions", {"prompt": "a b", "max_tokens": 2}).json

    assert len(content["choices"][0]["text"].split()) == 2
    assert content["usage"]["prompt_tokens"] == 2


def test_what_is_too_long_or_no_json_is_400(engine: tuple[str, Simulator]) -> None:
    _, simulator = engine

    long = simulator.ask("/v1/completions", {"prompt": "a " * 3000})
    broken = simulator.ask("/v1/completions", "{")

    assert (long.status, broken.status) == (400, 400)
    assert "maximum context length is 2048 tokens" in long.json["error"]["message"]


@pytest.mark.parametrize(
    ("dialect", "path", "status"),
    [
        ("vllm", "/ping", 200),
        ("vllm", "/version", 200),
        ("vllm", "/health_generate", 404),
        ("sglang", "/health", 200),
        ("sglang", "/health_generate", 200),
        ("sglang", "/ping", 200),
        ("sglang", "/get_server_info", 200),
        ("sglang", "/v1/loads", 200),
        ("sglang", "/load", 404),
    ],
)
def test_other_routes(engine: tuple[str, Simulator], dialect: str, path: str, status: int) -> None:
    if engine[0] == dialect:
        assert engine[1].ask(path).status == status


COUNTERS: dict[str, dict[str, Any]] = {
    "vllm": {
        'vllm:iteration_tokens_total_count{engine="0",model_name="chat"}': 4,
        'vllm:generation_tokens_total{engine="0",model_name="chat"}': 4,
        'vllm:request_success_total{engine="0",finished_reason="length",model_name="chat"}': 1,
        'vllm:request_success_total{engine="0",finished_reason="stop",model_name="chat"}': 0,
        'vllm:num_requests_running{engine="0",model_name="chat"}': 0,
    },
    "sglang": {
        'sglang:generation_tokens_total{engine_type="unified",model_name="chat"}': 4,
        'sglang:num_requests_total{engine_type="unified",model_name="chat"}': 1,
        'sglang:cuda_graph_passes_total{engine_type="unified",mode="decode_cuda_graph",'
        'model_name="chat",moe_ep_rank="0",pp_rank="0",tp_rank="0"}': 3,
        'sglang:realtime_tokens_total{engine_type="unified",mode="decode",'
        'model_name="chat",moe_ep_rank="0",pp_rank="0",tp_rank="0"}': 3,
    },
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_metrics_of_one_request(tmp_path: Path, dialect: str) -> None:
    with running(tmp_path, "--served-model-name", "chat", dialect=dialect) as engine:
        wait_for(lambda: engine.ask(HEALTHY[dialect]).status == 200, "healthy")

        engine.ask("/v1/chat/completions", HELLO | {"user": "one"})

        assert {name: engine.metric(name) for name in COUNTERS[dialect]} == COUNTERS[dialect]
        assert engine.control("/requests")["one"] == {"received": 1, "started": 1, "finished": 1}


def test_every_family_of_the_real_vllm_is_there_from_the_start(tmp_path: Path) -> None:
    sample = Path(__file__).parents[1] / "agent/engines/samples/vllm.txt"
    real = {line for line in sample.read_text().splitlines() if line.startswith("# TYPE vllm:")}
    with running(tmp_path, dialect="vllm") as engine:
        ours = set(engine.ask("/metrics").text.splitlines())

    assert real - ours == set()


def test_created_series_can_be_left_out(tmp_path: Path) -> None:
    env = {"PROMETHEUS_DISABLE_CREATED_SERIES": "true"}
    with running(tmp_path, dialect="vllm", env=env) as engine:
        assert "_created{" not in engine.ask("/metrics").text


def test_sglang_has_metrics_only_where_asked_for(tmp_path: Path) -> None:
    port, model = free_port(), make_model(tmp_path / "model")
    (model / "sim-faults.json").write_text('{"load_seconds": 0}')
    arguments = [one for one in command("sglang", model, port) if one != "--enable-metrics"]
    engine = Simulator(tmp_path, tuple(arguments), port=port)
    engine.start()
    try:
        engine.wait_until_serving()
        assert engine.ask("/metrics").status == 404
    finally:
        engine.end()


@pytest.mark.parametrize(
    ("dialect", "flag", "guarded", "open_path"),
    [
        ("vllm", "--api-key=secret", "/v1/models", "/load"),
        ("sglang", "--api-key=secret", "/ping", "/metrics"),
    ],
)
def test_a_key_guards_what_it_guards_in_the_real_one(
    tmp_path: Path, dialect: str, flag: str, guarded: str, open_path: str
) -> None:
    with running(tmp_path, flag, dialect=dialect) as engine:
        assert engine.ask(guarded).status == 401
        assert engine.ask(guarded, Authorization="Bearer secret").status != 401
        assert engine.ask(open_path).status == 200


def test_two_vllm_ranks_are_workers_beside_an_engine_core(tmp_path: Path) -> None:
    with running(tmp_path, "-tp", "2", dialect="vllm") as engine:
        pids = engine.control("/state")["shard_pids"]

        names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids]

        assert names == ["VLLM::Worker_TP", "VLLM::Worker_TP", "VLLM::EngineCor"]
        assert engine.ask("/v1/chat/completions", HELLO).status == 200


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_port_is_closed_while_the_model_loads(tmp_path: Path, dialect: str) -> None:
    with running(tmp_path, dialect=dialect, serving=False, load_seconds=1.5) as engine:
        wait_for(lambda: LOADING[dialect] in engine.log, "loading")

        assert not engine.is_listening()
        assert engine.control("/state")["phase"] == "loading"
        engine.wait_until_serving()
        wait_for(lambda: engine.control("/state")["phase"] == "serving", "serving")


def test_sglang_says_503_while_its_warmup_request_runs(tmp_path: Path) -> None:
    with running(tmp_path, dialect="sglang", tokens_per_second=1) as engine:
        assert [engine.ask(path).status for path in ("/health", "/ready")] == [503, 503]
        wait_for(lambda: engine.ask("/ready").status == 200, "ready")
        assert "The server is fired up and ready to roll!" in engine.log
