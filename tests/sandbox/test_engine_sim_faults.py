"""The faults that the control port orders, and their signatures from outside."""

import os
import signal
import socket
import threading
from pathlib import Path

from tests.sandbox.engine_sim.harness import Answer, Simulator, running, wait_for

SHORT = {"inputs": "hello", "parameters": {"max_new_tokens": 1}}
LONG = {"inputs": "hello", "parameters": {"max_new_tokens": 1000}}


def send_and_forget(engine: Simulator, body: object) -> socket.socket:
    """A request whose answer nobody waits for; close the socket to give it up."""
    connection = engine.open("/generate_stream", body)
    assert connection.status == 200
    return socket.socket(fileno=os.dup(connection.fileno()))


def health_hangs(engine: Simulator) -> bool:
    """True when /health does not answer within half a second."""
    with socket.create_connection(("127.0.0.1", engine.port), timeout=0.5) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            connection.recv(1)
        except TimeoutError:
            return True
    return False


def test_a_killed_router_ends_the_launcher_with_webserver_failed(tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        os.kill(engine.control("/state")["router_pid"], signal.SIGKILL)

        assert engine.wait() == 1
        assert "Webserver Crashed" in engine.log
        assert "Error: WebserverFailed" in engine.stderr


def test_a_killed_shard_ends_the_launcher_with_shard_failed(tmp_path: Path) -> None:
    with running(tmp_path, "--num-shard", "2") as engine:
        engine.fault(kind="shard_crash", rank=1)

        assert engine.wait() == 1
        assert "Shard process was signaled to shutdown with signal 9" in engine.log
        assert "Shard 1 crashed" in engine.log
        assert "Error: ShardFailed" in engine.stderr


def test_running_out_of_memory_fails_the_request_and_then_the_engine(tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        engine.fault(kind="oom_next_request")

        answer = engine.ask("/generate", SHORT)

        assert answer.status == 424
        assert answer.json["error_type"] == "generation"
        assert "CUDA out of memory" in answer.json["error"]
        assert engine.wait() == 1
        assert "signaled" not in engine.log  # the shard leaves with code 0
        assert "torch.OutOfMemoryError" in engine.log
        assert "Error: ShardFailed" in engine.stderr


def test_a_failed_batch_is_survived_and_health_proves_it_with_a_prefill(tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        engine.fault(kind="error_next_request")

        assert engine.ask("/generate", SHORT).status == 424
        assert engine.metric('tgi_batch_inference_failure{method="prefill"}') == 1
        assert engine.ask("/health").status == 200
        assert engine.ask("/generate", SHORT).status == 200


def test_a_request_joins_those_that_run(tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        ended: list[Answer] = []
        long = SHORT | {"parameters": {"max_new_tokens": 150}}  # 3 s
        asking = threading.Thread(target=lambda: ended.append(engine.ask("/generate", long)))
        asking.start()
        wait_for(lambda: engine.metric("tgi_batch_current_size") == 1, "the long one runs")
        assert engine.ask("/generate", SHORT).status == 200
        assert ended == []
        asking.join()


def test_a_dead_router_loop_answers_health_while_the_queue_only_rises(tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        victim: list[Answer] = []
        asking = threading.Thread(target=lambda: victim.append(engine.ask("/generate", LONG)))
        asking.start()
        wait_for(lambda: engine.metric("tgi_batch_current_size") == 1, "victim running")

        engine.fault(kind="router_loop_dead")
        asking.join()

        assert victim[0].status == 500
        assert victim[0].json["error_type"] == "incomplete_generation"
        assert engine.metric('tgi_request_failure{err="incomplete"}') == 1
        done = engine.metric('tgi_batch_inference_success{method="decode"}')
        waiting = [send_and_forget(engine, SHORT) for _ in range(3)]
        wait_for(lambda: engine.metric("tgi_queue_size") == 3, "queue of three")
        assert engine.ask("/health").status == 200
        assert engine.metric('tgi_batch_inference_success{method="decode"}') == done
        assert engine.metric("tgi_batch_current_size") == 1  # frozen
        for connection in waiting:
            connection.close()


def test_a_stuck_shard_hangs_health_with_one_call_in_flight(tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        engine.ask("/generate", SHORT)
        engine.fault(kind="shard_stuck")
        waiting = send_and_forget(engine, SHORT)
        count = 'tgi_batch_inference_count{method="prefill"}'
        wait_for(lambda: engine.metric(count) == 2, "prefill sent")

        assert health_hangs(engine)
        assert engine.metric('tgi_batch_inference_success{method="prefill"}') == 1
        assert engine.control("/state")["phase"] == "serving"

        engine.fault(kind="clear")
        assert engine.ask("/health").status == 200
        waiting.close()


def test_overload_is_429_in_one_piece_and_200_in_a_stream(tmp_path: Path) -> None:
    with running(tmp_path, "--max-concurrent-requests", "1") as engine:
        taken = send_and_forget(engine, LONG)

        whole = engine.ask("/generate", SHORT)
        stream = engine.ask("/generate_stream", SHORT)

        assert whole.status == 429
        assert whole.json == {"error": "Model is overloaded", "error_type": "overloaded"}
        assert "Retry-After" not in whole.headers
        assert stream.status == 200
        assert [event["error_type"] for event in stream.events] == ["overloaded"]
        assert engine.metric('tgi_request_failure{err="overloaded"}') == 2
        assert engine.ask("/health").status == 200
        taken.close()
        wait_for(lambda: engine.ask("/generate", SHORT).status == 200, "permit given back")

        engine.fault(kind="overload")
        assert engine.ask("/generate", SHORT).status == 429


def test_the_control_port_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    with running(tmp_path) as engine:
        assert "one of crash" in engine.fault(kind="explode")["error"]
        assert "greater than 0" in engine.fault(kind="slow", tokens_per_second=0)["error"]
        assert "shard_stuck: no shard 7" in engine.fault(kind="shard_stuck", rank=7)["error"]

        engine.fault(kind="exit_code", code=42)
        assert engine.wait() == 42
