"""What hangs, from outside, in each dialect; and what only looks like it."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.sandbox.engine_sim.harness import Simulator, running, wait_for

CHAT = {"messages": [{"role": "user", "content": "hello there"}]}
LONG = CHAT | {"max_tokens": 1500, "stream": True}
SHORT = CHAT | {"max_tokens": 1}
ENV = {"SGLANG_HEALTH_CHECK_TIMEOUT": "1.5"}
FLAGS = {"tgi": (), "vllm": ("--enable-server-load-tracking",), "sglang": ()}
# The samples that rise with every step that gives a token.
STEPS = {
    "tgi": ("tgi_batch_inference_success",),
    "vllm": ("vllm:iteration_tokens_total_count",),
    "sglang": ("sglang:cuda_graph_passes_total", "sglang:realtime_tokens_total"),
}
PATIENCE = 0.6  # seconds without a step that prove a standstill; a step takes 0.01 s


@contextmanager
def started(directory: Path, dialect: str, *flags: str, **settings: float) -> Iterator[Simulator]:
    with running(
        directory, *FLAGS[dialect], *flags, serving=True, dialect=dialect, env=ENV, **settings
    ) as engine:
        wait_for(lambda: engine.control("/state")["phase"] == "serving", "serving")
        yield engine


def total(engine: Simulator, *names: str) -> float:
    """Sum of all samples whose name, without labels, is one of `names`."""
    lines = engine.ask("/metrics").text.splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return sum(float(value) for name, _, value in samples if name.partition("{")[0] in names)


def status(engine: Simulator, path: str, body: str | None = None) -> int | None:
    """The answer's status; None when there is none within a second (SGLang's probe: 3 s)."""
    connection = HTTPConnection("127.0.0.1", engine.port, timeout=3 if path == "/health" else 1)
    try:
        connection.request("GET" if body is None else "POST", path, body)
        return connection.getresponse().status
    except TimeoutError:
        return None
    finally:
        connection.close()


def stream(engine: Simulator) -> socket.socket:
    """A stream that nobody reads; close it to give it up."""
    answer = engine.open("/v1/chat/completions", LONG)
    return socket.socket(fileno=os.dup(answer.fileno()))


def stands_still(engine: Simulator, dialect: str) -> bool:
    before = total(engine, *STEPS[dialect])
    time.sleep(PATIENCE)
    return total(engine, *STEPS[dialect]) == before


def never_answers(engine: Simulator, body: Mapping[str, object] = SHORT) -> Callable[[], bool]:
    """Ask for a token or so; whether there is no answer yet."""

    def ask() -> None:
        with suppress(OSError):  # the engine ended with the test
            engine.ask("/v1/chat/completions", {**body, "user": "probe"})

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    wait_for(lambda: "started" in engine.control("/requests").get("probe", {}), "probe arrived")
    return asking.is_alive


# Fault; dialect; what /health then says (None: nothing); whether /metrics answers.
HANGS = [
    ("shard_stuck", "tgi", None, True),
    ("shard_stuck", "vllm", 200, True),
    ("shard_stuck", "sglang", 503, True),
    ("router_loop_dead", "tgi", 200, True),
    ("router_loop_dead", "vllm", 200, True),
    ("router_loop_dead", "sglang", 503, True),
    ("api_stuck", "tgi", None, False),
    ("api_stuck", "vllm", None, False),
    ("api_stuck", "sglang", None, False),
]


@pytest.mark.parametrize(("fault", "dialect", "health", "metrics"), HANGS)
def test_a_hang_under_load(
    tmp_path: Path, fault: str, dialect: str, health: int | None, metrics: bool
) -> None:
    with started(tmp_path, dialect) as engine:
        client = stream(engine)
        before = total(engine, *STEPS[dialect])
        wait_for(lambda: total(engine, *STEPS[dialect]) > before + 3, "steps")

        engine.fault(kind=fault)
        time.sleep(0.1)  # what is under way ends

        assert status(engine, "/health") == health
        assert status(engine, "/metrics") == (200 if metrics else None)
        if metrics:
            assert stands_still(engine, dialect)
        assert engine.control("/state")["phase"] == "serving"
        client.close()


@pytest.mark.parametrize(
    ("fault", "dialect"), [(fault, dialect) for fault, dialect, _, metrics in HANGS if metrics]
)
def test_a_hang_while_idle_shows_in_the_next_request_only(
    tmp_path: Path, fault: str, dialect: str
) -> None:
    with started(tmp_path, dialect) as engine:
        engine.ask("/v1/chat/completions", CHAT | {"max_tokens": 2})
        engine.fault(kind=fault)

        unanswered = never_answers(engine)

        assert stands_still(engine, dialect)
        assert unanswered()
        if dialect == "vllm":
            running_or_waiting = ("vllm:num_requests_running", "vllm:num_requests_waiting")
            assert total(engine, *running_or_waiting) == 0  # frozen from before
            assert engine.ask("/load").json == {"server_load": 1}
            assert engine.ask("/v1/models").status == 200


@pytest.mark.parametrize("dialect", ["vllm", "sglang"])
@pytest.mark.parametrize("fault", ["shard_stuck", "router_loop_dead", "api_stuck"])
def test_clear_ends_a_hang_and_nothing_is_lost(tmp_path: Path, fault: str, dialect: str) -> None:
    with started(tmp_path, dialect) as engine:
        client = engine.open("/v1/chat/completions", LONG | {"max_tokens": 50})
        engine.fault(kind=fault)
        time.sleep(0.3)

        engine.fault(kind="clear")

        assert client.read().decode().rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize("dialect", ["vllm", "sglang"])
def test_a_saturated_queue_still_steps(tmp_path: Path, dialect: str) -> None:
    most = {"vllm": "--max-num-seqs", "sglang": "--max-running-requests"}[dialect]
    with started(tmp_path, dialect, most, "2") as engine:
        clients = [stream(engine) for _ in range(5)]
        waiting = {"vllm": "vllm:num_requests_waiting", "sglang": "sglang:num_queue_reqs"}[dialect]

        wait_for(lambda: total(engine, waiting) == 3, "three wait")

        assert not stands_still(engine, dialect)
        assert status(engine, "/health") == 200
        for client in clients:
            client.close()


# What moves while nothing but a prompt in chunks runs; for vLLM that is no counter.
MOVES = {
    "tgi": "tgi_batch_inference_success",
    "vllm": "vllm:kv_cache_usage_perc",
    "sglang": "sglang:realtime_tokens_total",
}
ENDED = {
    "tgi": "tgi_request_success",
    "vllm": "vllm:generation_tokens_total",
    "sglang": "sglang:num_requests_total",
}


@pytest.mark.parametrize("dialect", list(MOVES))
def test_a_long_prefill_moves_without_a_token(tmp_path: Path, dialect: str) -> None:
    with started(tmp_path, dialect) as engine:
        engine.ask("/v1/chat/completions", CHAT | {"max_tokens": 2})
        engine.fault(kind="long_prefill", tokens=131072, seconds=4)
        before = total(engine, ENDED[dialect]), total(engine, *STEPS[dialect])

        unanswered = never_answers(engine, CHAT | {"max_tokens": 2})
        seen = set()
        for _ in range(5):
            seen.add(total(engine, MOVES[dialect]))
            time.sleep(0.5)

        assert unanswered()
        assert len(seen) >= 4
        assert total(engine, ENDED[dialect]) == before[0]
        assert (total(engine, *STEPS[dialect]) == before[1]) == (dialect == "vllm")
        assert status(engine, "/health") == 200
        wait_for(lambda: not unanswered(), "the answer")


def test_a_true_long_prompt_takes_its_time(tmp_path: Path) -> None:
    with started(tmp_path, "vllm", prefill_tokens_per_second=2000) as engine:
        began = time.monotonic()

        answer = engine.ask("/v1/completions", {"prompt": "a " * 2000, "max_tokens": 1})

        assert answer.json["usage"]["prompt_tokens"] == 2000
        assert time.monotonic() - began >= 1


def test_idle_sglang_goes_on_telling_of_who_is_gone(tmp_path: Path) -> None:
    with started(tmp_path, "sglang", "--decode-log-interval", "5") as engine:
        engine.ask("/v1/chat/completions", CHAT | {"max_tokens": 8})

        assert total(engine, "sglang:num_running_reqs") == 1


@pytest.mark.parametrize("dialect", ["vllm", "sglang"])
def test_a_stuck_api_still_obeys_sigkill(tmp_path: Path, dialect: str) -> None:
    with started(tmp_path, dialect) as engine:
        engine.fault(kind="api_stuck")
        engine.process.terminate()
        time.sleep(0.3)
        assert engine.process.poll() is None

        engine.fault(kind="crash")

        assert engine.wait() == -9
