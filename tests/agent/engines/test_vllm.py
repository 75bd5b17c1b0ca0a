import json
from pathlib import Path

from agent.engines.base import Load
from agent.engines.vllm import Vllm
from tests.agent.engines.examples import EXAMPLES, GPUS, WEIGHTS, engine

SAMPLE = (Path(__file__).parent / "samples" / "vllm.txt").read_text()


def test_load_and_progress() -> None:
    assert Vllm().load(SAMPLE) == Load(running=0, waiting=0)
    assert Vllm().progress(SAMPLE) == 248


def test_load_sums_the_engine_cores() -> None:
    metrics = (
        'vllm:num_requests_running{engine="0"} 3.0\nvllm:num_requests_running{engine="1"} 4.0\n'
        'vllm:num_requests_waiting{engine="0"} 1.0\n'
        'vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 1.0\n'
    )
    assert Vllm().load(metrics) == Load(running=7, waiting=1)


def test_an_open_stream_cannot_hold_up_the_stop() -> None:
    container = Vllm().container(engine("vllm", drain_deadline=60.5), WEIGHTS, GPUS)
    assert container.environment["VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS"] == "10"
    assert container.command[container.command.index("--shutdown-timeout") + 1] == "61"
    assert Vllm().stop_deadline(engine("vllm", drain_deadline=60)) == 80


def test_the_cpu_build_gets_its_own_variables_and_only_that() -> None:
    cpu = Vllm().container(engine("vllm", gpus=0), WEIGHTS, ())
    gpu = Vllm().container(engine("vllm", gpus=1), WEIGHTS, GPUS[:1])
    assert cpu.environment.keys() - gpu.environment.keys() == {
        "VLLM_CPU_KVCACHE_SPACE",
        "VLLM_CPU_OMP_THREADS_BIND",
    }
    assert cpu.command == gpu.command


def test_the_speculative_config_is_json_of_local_paths() -> None:
    command = Vllm().container(EXAMPLES["vllm-draft"], WEIGHTS, GPUS).command
    assert json.loads(command[command.index("--speculative-config") + 1]) == {
        "method": "draft_model",
        "model": "/draft",
        "num_speculative_tokens": 5,
    }


def test_the_probe_asks_for_the_served_name() -> None:
    assert Vllm().chat(engine("vllm", served_name="chat")).body["model"] == "chat"
    assert Vllm().chat(engine("vllm")).body["model"] == "stoker/tiny-llama"
