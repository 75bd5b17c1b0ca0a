"""How vLLM and SGLang end by themselves: exit codes, and the lines that tell the reason."""

import json
import time
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.sandbox.engine_sim.harness import (
    Simulator,
    command,
    make_model,
    running,
    wait_for,
)

CHAT = {"messages": [{"role": "user", "content": "hello there"}]}
STREAM = CHAT | {"max_tokens": 1500, "stream": True}
DEAD = "vllm.v1.engine.exceptions.EngineDeadError"
CRASHED = "Triggering SIGQUIT for cleanup"

# Class of the crash; dialect; exit code; words of the log, the cause first.
CRASHES = [
    ("killed", "vllm", 0, ["Engine core proc EngineCore died unexpectedly", DEAD]),
    ("oom", "vllm", 0, ["EngineCore encountered a fatal error", "CUDA out of memory", DEAD]),
    ("cuda", "vllm", 0, ["CUDA error: an illegal memory access", DEAD]),
    ("nccl", "vllm", 0, ["Watchdog caught collective operation timeout", DEAD]),
    ("sigbus", "vllm", 0, [DEAD]),
    ("killed", "sglang", -9, [f"crashed with exit code -9. {CRASHED}"]),
    ("oom", "sglang", -9, ["Scheduler hit an exception", "CUDA out of memory", CRASHED]),
    ("cuda", "sglang", -9, ["CUDA error: an illegal memory access", CRASHED]),
    ("nccl", "sglang", -9, ["Watchdog caught collective operation timeout", CRASHED]),
    ("sigbus", "sglang", -9, [CRASHED]),
]


def in_order(log: str, words: list[str]) -> bool:
    places = [log.find(one) for one in words]
    return -1 not in places and places == sorted(places)


@pytest.mark.parametrize(("how", "dialect", "code", "words"), CRASHES)
def test_a_crash_under_load(
    tmp_path: Path, how: str, dialect: str, code: int, words: list[str]
) -> None:
    with running(tmp_path, dialect=dialect) as engine:
        client = engine.open("/v1/chat/completions", STREAM)
        client.readline()

        engine.fault(**{"kind": "shard_crash", "class": how})

        assert engine.wait() == code
        assert in_order(engine.log, words)


def test_a_dead_vllm_says_503_and_tells_its_clients_in_the_stream(tmp_path: Path) -> None:
    with running(tmp_path, dialect="vllm") as engine:
        client = engine.open("/v1/chat/completions", STREAM)
        client.readline()
        engine.fault(kind="shard_crash")
        wait_for(lambda: engine.ask("/health").status == 503, "503")

        *_, error, done = [line for line in client.read().decode().splitlines() if line]

        assert json.loads(error.removeprefix("data: "))["error"]["code"] == 500
        assert done == "data: [DONE]"
        assert engine.ask("/v1/models").status == 200
        assert engine.ask("/v1/chat/completions", CHAT).status == 500


def test_an_idle_vllm_notices_its_death_late(tmp_path: Path) -> None:
    with running(tmp_path, dialect="vllm") as engine:
        began = time.monotonic()

        engine.fault(kind="shard_crash")

        assert engine.wait() == 0
        assert time.monotonic() - began > 4


def test_vllm_can_outlive_its_engine_core(tmp_path: Path) -> None:
    env = {"VLLM_KEEP_ALIVE_ON_ENGINE_DEATH": "1"}
    with running(tmp_path, dialect="vllm", env=env) as engine:
        engine.fault(kind="shard_crash")
        wait_for(lambda: engine.ask("/health").status == 503, "503")
        assert engine.ask("/v1/chat/completions", CHAT).status == 500
        time.sleep(2)
        assert engine.ask("/health").status == 503

        engine.process.terminate()

        assert engine.wait() == 0


def test_a_frozen_vllm_worker_meets_the_rpc_deadline(tmp_path: Path) -> None:
    env = {"VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS": "1"}
    with running(tmp_path, "-tp", "2", dialect="vllm", env=env) as engine:
        client = engine.open("/v1/chat/completions", STREAM)
        client.readline()

        engine.fault(kind="shard_stuck", rank=1)

        assert engine.wait() == 0
        assert in_order(engine.log, ["RPC call to execute_model timed out", DEAD])


def test_a_frozen_sglang_scheduler_meets_the_watchdog(tmp_path: Path) -> None:
    with running(tmp_path, "--watchdog-timeout", "1", dialect="sglang") as engine:
        client = engine.open("/v1/chat/completions", STREAM)
        client.readline()

        engine.fault(kind="shard_stuck")

        assert engine.wait() == -9
        assert "Watchdog timeout (self.watchdog_timeout=1)" in engine.log


@pytest.mark.parametrize("dialect", ["vllm", "sglang"])
@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"kind": "exit_code", "code": 42}, 42),
        ({"kind": "crash"}, -9),
        ({"kind": "crash", "signal": 11}, -11),
    ],
)
def test_an_ordered_end(tmp_path: Path, dialect: str, order: dict[str, object], code: int) -> None:
    with running(tmp_path, dialect=dialect) as engine:
        engine.control("/fault", order)

        assert engine.wait() == code


@pytest.mark.parametrize(("dialect", "code"), [("vllm", 0), ("sglang", -9)])
def test_the_next_request_runs_out_of_memory(tmp_path: Path, dialect: str, code: int) -> None:
    with running(tmp_path, dialect=dialect) as engine:
        engine.fault(kind="oom_next_request")

        assert engine.ask("/v1/chat/completions", CHAT).status == 500
        assert engine.wait() == code
        assert "CUDA out of memory" in engine.log


@pytest.mark.parametrize("dialect", ["vllm", "sglang"])
def test_a_failed_request_is_survived(tmp_path: Path, dialect: str) -> None:
    with running(tmp_path, dialect=dialect) as engine:
        engine.fault(kind="error_next_request")

        assert engine.ask("/v1/chat/completions", CHAT).status == 500
        assert engine.ask("/v1/chat/completions", CHAT).status == 200


@pytest.mark.parametrize(
    ("dialect", "flags", "message"),
    [
        ("vllm", ("--max-num-queued-reqs", "2"), "The engine is currently busy"),
        (
            "sglang",
            ("--max-running-requests", "1", "--max-queued-requests", "1"),
            "The request queue is full.",
        ),
    ],
)
def test_a_full_queue_is_503(
    tmp_path: Path, dialect: str, flags: tuple[str, ...], message: str
) -> None:
    with running(tmp_path, *flags, dialect=dialect) as engine:
        wait_for(lambda: engine.control("/state")["phase"] == "serving", "serving")
        first = engine.open("/v1/chat/completions", STREAM)
        first.readline()
        second = engine.open("/v1/chat/completions", STREAM)

        refused = engine.ask("/v1/chat/completions", CHAT | {"stream": True})

        assert (first.status, second.status, refused.status) == (200, 200, 503)
        assert message in refused.json["error"]["message"]


# Dialect, settings or flags, exit code, words.
STARTS = [
    ("vllm", {"start": "oom"}, (), 1, "torch.OutOfMemoryError: CUDA out of memory"),
    ("vllm", {"start": "warmup_oom"}, (), 1, "when warming up sampler with"),
    ("vllm", {"start": "memory_held"}, (), 1, "on startup is less than desired GPU memory"),
    ("vllm", {"start": "shard_error"}, (), 1, "are not supported for now"),
    ("vllm", {"start": "nccl"}, (), 1, "NCCL error"),
    ("vllm", {"start": "cuda"}, (), 1, "CUDA error: unspecified launch failure"),
    ("vllm", {"start": "no_gpu"}, (), 1, "No CUDA GPUs are available"),
    ("vllm", {"start": "exit", "exit_code": 7}, (), 7, ""),
    ("vllm", {"kv_tokens": 1000}, (), 1, "the estimated maximum model length is 1000"),
    ("vllm", {}, ("--max-model-len", "9000"), 1, "User-specified max_model_len (9000) is greater"),
    ("vllm", {}, ("-tp", "3"), 1, "attention heads (4) must be divisible by tensor parallel"),
    ("vllm", {}, ("-tp", "4"), 1, "is larger than the number of available GPUs (2)"),
    ("vllm", {}, ("--quantization", "gptq"), 1, "Cannot find the config file for gptq"),
    ("sglang", {"start": "oom"}, (), -9, "torch.OutOfMemoryError: CUDA out of memory"),
    ("sglang", {"start": "warmup_oom"}, (), -9, "Possible solutions:"),
    ("sglang", {"start": "memory_held"}, (), -9, "The memory capacity is unbalanced."),
    ("sglang", {"start": "shard_error"}, (), -9, "are not supported for now"),
    ("sglang", {"start": "nccl"}, (), -9, "NCCL error"),
    ("sglang", {"start": "exit", "exit_code": 7}, (), 7, ""),
    ("sglang", {"kv_tokens": 0}, (), -9, "Please try to increase --mem-fraction-static"),
    ("sglang", {}, ("--context-length", "9000"), 1, "ALLOW_OVERWRITE_LONGER_CONTEXT_LEN=1"),
    ("sglang", {}, ("--tp-size", "3"), -9, "assert self.total_num_heads % tp_size == 0"),
    ("sglang", {}, ("--tp-size", "4"), -9, "CUDA error: invalid device ordinal"),
]


def run(directory: Path, dialect: str, flags: tuple[str, ...], settings: object) -> Simulator:
    """Run an engine that is expected to end by itself."""
    model = make_model(directory / "model")
    (model / "sim-faults.json").write_text(json.dumps(settings))
    port = free_port()
    engine = Simulator(directory, (*command(dialect, model, port), *flags), port=port)
    engine.start()
    try:
        engine.wait()
    finally:
        engine.end()
    return engine


@pytest.mark.parametrize(("dialect", "settings", "flags", "code", "words"), STARTS)
def test_a_start_that_fails(
    tmp_path: Path,
    dialect: str,
    settings: dict[str, object],
    flags: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    engine = run(tmp_path, dialect, flags, {"load_seconds": 0} | settings)

    assert engine.wait() == code
    assert words in engine.log


@pytest.mark.parametrize(
    ("dialect", "flags", "words"),
    [
        ("vllm", ("--speculate", "2"), "vllm: error: unrecognized arguments: --speculate 2"),
        ("vllm", ("--dtype", "x"), "vllm serve: error: argument --dtype: invalid choice: 'x'"),
        ("vllm", ("--port", "x"), "argument --port: invalid int value: 'x'"),
        ("sglang", ("--num-shard=2",), "error: unrecognized arguments: --num-shard=2"),
        ("sglang", ("--dtype", "x"), "error: argument --dtype: invalid choice: 'x'"),
    ],
)
def test_a_bad_command_line_ends_with_code_2(
    tmp_path: Path, dialect: str, flags: tuple[str, ...], words: str
) -> None:
    engine = run(tmp_path, dialect, flags, {})

    assert engine.wait() == 2
    assert words in engine.stderr


@pytest.mark.parametrize("dialect", ["vllm", "sglang"])
def test_a_port_in_use(tmp_path: Path, dialect: str) -> None:
    with running(tmp_path, dialect=dialect) as first:
        (tmp_path / "second").mkdir()
        second = Simulator(tmp_path / "second", first.arguments)
        second.start()

        assert second.wait() == 1
        assert "address already in use" in second.log


def test_an_engine_that_never_gets_ready_obeys_sigterm(tmp_path: Path) -> None:
    with running(tmp_path, dialect="vllm", serving=False, start="never_ready") as engine:
        wait_for(lambda: "Initializing a V1 LLM engine" in engine.log, "loading")
        assert not engine.is_listening()

        engine.process.terminate()

        assert engine.wait() == -15
