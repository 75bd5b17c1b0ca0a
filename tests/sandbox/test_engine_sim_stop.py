"""The graceful stop: no new connection, but every stream to its end."""

from pathlib import Path

from tests.sandbox.engine_sim.harness import running, wait_for


def test_sigterm_closes_the_port_at_once_and_lets_a_stream_finish(tmp_path: Path) -> None:
    with running(tmp_path, tokens_per_second=5) as engine:
        body = {"inputs": "hello", "parameters": {"max_new_tokens": 40}}
        stream = engine.open("/generate_stream", body)
        stream.readline()

        engine.process.terminate()
        wait_for(lambda: not engine.is_listening(), "port closed")
        assert engine.process.poll() is None
        engine.process.terminate()  # a second one changes nothing
        engine.fault(kind="slow", tokens_per_second=200)
        rest = stream.read().decode()

        assert rest.count("data: ") == 39
        assert '"generated_text":null' not in rest.splitlines()[-2]
        assert engine.wait() == 0
        assert "webserver terminated" in engine.log


def test_a_stream_that_outlasts_the_patience_is_cut(tmp_path: Path) -> None:
    flags = ("--graceful-termination-timeout", "0")
    with running(tmp_path, *flags, tokens_per_second=5) as engine:
        body = {"inputs": "hello", "parameters": {"max_new_tokens": 1000}}
        engine.open("/generate_stream", body).readline()

        engine.process.terminate()

        assert engine.wait() == 0
        assert "webserver killed" in engine.log
