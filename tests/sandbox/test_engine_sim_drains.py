"""How vLLM and SGLang stop when told to: who drains, who aborts, and who hangs."""

import threading
import time
from http.client import HTTPResponse
from pathlib import Path

from tests.sandbox.engine_sim.harness import Simulator, running, wait_for

CHAT = {"messages": [{"role": "user", "content": "hello there"}]}
WORKER_TIMEOUT = {"VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS": "10"}


def streaming(engine: Simulator, tokens: int) -> HTTPResponse:
    body = CHAT | {"max_tokens": tokens, "stream": True}
    answer = engine.open("/v1/chat/completions", body)
    answer.readline()
    return answer


def test_an_idle_vllm_stops_at_once(tmp_path: Path) -> None:
    with running(tmp_path, dialect="vllm") as engine:
        engine.process.terminate()

        assert engine.wait() == 0


def test_vllm_with_a_stream_open_hangs_until_the_client_closes(tmp_path: Path) -> None:
    with running(tmp_path, dialect="vllm") as engine:
        client = streaming(engine, 1500)

        engine.process.terminate()
        wait_for(lambda: "Waiting for connections to close" in engine.log, "waiting")
        engine.process.terminate()  # changes nothing
        time.sleep(1)

        assert engine.process.poll() is None
        assert engine.ask("/health").status == 200
        client.close()
        assert engine.wait() == 0


def test_the_worker_timeout_is_the_cure(tmp_path: Path) -> None:
    with running(tmp_path, dialect="vllm", env=WORKER_TIMEOUT) as engine:
        client = streaming(engine, 1500)

        engine.process.terminate()
        rest = client.read().decode()

        assert '"finish_reason": "abort"' in rest
        assert rest.rstrip().endswith("data: [DONE]")
        assert engine.wait() == 0


def test_vllm_drains_as_long_as_it_may_and_refuses_the_new(tmp_path: Path) -> None:
    with running(tmp_path, "--shutdown-timeout", "60", dialect="vllm") as engine:
        client = streaming(engine, 150)

        engine.process.terminate()
        wait_for(lambda: "Shutting down FastAPI" in engine.log, "draining")
        refused = engine.ask("/v1/chat/completions", CHAT)

        assert refused.status == 500
        assert "cannot schedule new futures" in refused.json["error"]["message"]
        assert engine.ask("/health").status == 200
        assert '"finish_reason": "length"' in client.read().decode()
        assert engine.wait() == 0


def test_sglang_drains_without_limit_serves_the_new_and_kills_itself(tmp_path: Path) -> None:
    with running(tmp_path, dialect="sglang") as engine:
        wait_for(lambda: engine.ask("/ready").status == 200, "ready")
        client = streaming(engine, 600)
        rest: list[str] = []
        reading = threading.Thread(target=lambda: rest.append(client.read().decode()))
        reading.start()

        engine.process.terminate()
        wait_for(lambda: engine.ask("/ready").status == 503, "draining")

        assert engine.ask("/health").status == 503
        assert engine.ask("/v1/chat/completions", CHAT).status == 200
        wait_for(lambda: "Remaining number of requests 1" in engine.log, "one left")
        reading.join()
        assert '"finish_reason": "length"' in rest[0]
        assert engine.wait() == -9
        assert "Gracefully exiting... Remaining number of requests 0" in engine.log


def test_sglang_that_found_itself_unhealthy_does_not_drain(tmp_path: Path) -> None:
    env = {"SGLANG_HEALTH_CHECK_TIMEOUT": "0.5"}
    with running(tmp_path, dialect="sglang", env=env) as engine:
        wait_for(lambda: engine.ask("/ready").status == 200, "ready")
        client = streaming(engine, 1500)
        engine.fault(kind="shard_stuck")
        assert engine.ask("/health").status == 503
        assert "Health check failed. Server couldn't get a response" in engine.log

        engine.process.terminate()

        assert engine.wait() == -9
        client.close()
