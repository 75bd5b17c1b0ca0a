"""From the command line to an open port, and the ways in which that fails."""

import json
from pathlib import Path

import pytest

from tests.sandbox.engine_sim.harness import Simulator, make_model, running, wait_for


def run(directory: Path, *flags: str, **env: str) -> Simulator:
    """Run a simulator that is expected to end by itself."""
    simulator = Simulator(directory, flags, env)
    simulator.start()
    simulator.wait()
    return simulator


def test_an_unknown_flag_ends_with_code_2(tmp_path: Path) -> None:
    simulator = run(tmp_path, "--draft-model-id", "x")

    assert simulator.wait() == 2
    assert "unexpected argument '--draft-model-id' found" in simulator.stderr


def test_a_model_that_is_not_there_is_a_download_error(tmp_path: Path) -> None:
    simulator = run(tmp_path, "--model-id", "some/model")

    assert simulator.wait() == 1
    assert "Error: DownloadError" in simulator.stderr
    assert "Download encountered an error" in simulator.log


def test_a_gated_model_says_so(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    (model / "sim-faults.json").write_text('{"start": "download_auth"}')

    simulator = run(tmp_path, "--model-id", str(model))

    assert simulator.wait() == 1
    assert "401 Client Error" in simulator.log


@pytest.mark.parametrize(
    ("shards", "heads", "words"),
    [
        ("3", 3, "more than GPUs visible: 2"),
        ("2", 3, "`num_heads` must be divisible by `num_shards`"),
    ],
)
def test_shards_that_do_not_fit_cannot_start(
    tmp_path: Path, shards: str, heads: int, words: str
) -> None:
    model = make_model(tmp_path / "model", heads=heads, kv_heads=heads)
    (model / "sim-faults.json").write_text('{"load_seconds": 0}')

    simulator = run(tmp_path, "--model-id", str(model), "--num-shard", shards)

    assert simulator.wait() == 1
    assert "Error: ShardCannotStart" in simulator.stderr
    assert "failed to start" in simulator.log
    assert words in simulator.log


@pytest.mark.parametrize(
    ("settings", "flags", "error", "words"),
    [
        ({"start": "oom"}, (), "ShardCannotStart", "CUDA out of memory"),
        ({"start": "warmup_oom"}, (), "Failed", "CUDA out of memory"),
        (
            {"kv_tokens": 100},
            ("--max-total-tokens", "200"),
            "WebserverFailed",
            "Not enough memory to handle",
        ),
    ],
)
def test_memory_that_does_not_suffice_ends_the_start(
    tmp_path: Path, settings: dict[str, object], flags: tuple[str, ...], error: str, words: str
) -> None:
    model = make_model(tmp_path / "model")
    (model / "sim-faults.json").write_text(json.dumps({"load_seconds": 0} | settings))

    simulator = run(tmp_path, "--model-id", str(model), *flags)

    assert simulator.wait() == 1
    assert error in simulator.stderr
    assert words in simulator.log


def test_an_ordered_exit_code_is_the_exit_code(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    settings = tmp_path / "faults.json"
    settings.write_text('{"start": "exit", "exit_code": 101}')

    simulator = run(tmp_path, "--model-id", str(model), STOKER_SIM_FAULTS=str(settings))

    assert simulator.wait() == 101


def test_the_port_is_closed_until_the_engine_can_serve(tmp_path: Path) -> None:
    with running(tmp_path, "--num-shard", "2", serving=False, load_seconds=0.5) as simulator:
        wait_for(lambda: "Starting shard" in simulator.log, "shards started")
        assert not simulator.is_listening()
        assert simulator.control("/state")["phase"] == "loading"

        simulator.wait_until_serving()

        wait_for(lambda: "Connected" in simulator.log, "log passed on")
        assert simulator.ask("/health").status == 200
        messages = simulator.log
        places = [
            messages.index(marker)
            for marker in (
                "Starting check and download process for",
                "Successfully downloaded weights",
                "Starting shard",
                "Shard ready in",
                "Starting Webserver",
                "Warming up model",
                "Setting max batch total tokens to 32768",
                "Connected",
            )
        ]
        assert places == sorted(places)
        assert all(json.loads(line) for line in messages.splitlines())


def test_an_engine_that_never_gets_ready_can_be_stopped(tmp_path: Path) -> None:
    with running(tmp_path, serving=False, start="never_ready", load_seconds=0) as simulator:
        wait_for(lambda: "Starting shard" in simulator.log, "shard started")
        assert not simulator.is_listening()

        simulator.process.terminate()

        assert simulator.wait() == 0
