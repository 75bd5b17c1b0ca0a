from pathlib import Path

import pytest

from agent.engines.base import Load
from agent.engines.tgi import Tgi
from agent.engines.tgi_tables import KNOWN
from tests.agent.engines.examples import EXAMPLES, GPUS, WEIGHTS, engine
from tests.sandbox.engine_sim.dialects.tgi.flag_table import load_flags
from tests.sandbox.engine_sim.dialects.tgi.flags import parse

SAMPLE = (Path(__file__).parent / "samples" / "tgi.txt").read_text()


def test_load_and_progress() -> None:
    assert Tgi().load(SAMPLE) == Load(running=2, waiting=5)
    assert Tgi().progress(SAMPLE) == 218  # completed passes; one that hangs does not count


def test_an_engine_that_has_not_worked_yet_is_idle() -> None:
    assert Tgi().load("") == Load(running=0, waiting=0)
    assert Tgi().load("tgi_request_count 1\n") == Load(running=0, waiting=0)
    assert Tgi().progress("") == 0


def test_shards_over_the_gpus_that_it_gets() -> None:
    command = Tgi().container(engine("tgi"), WEIGHTS, GPUS).command
    assert command[command.index("--num-shard") + 1] == "2"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"quantize": "fp8_per_tensor"}, "fp8_per_tensor"),
        ({"quantize": "fp8", "gpus": 0}, "needs a GPU"),
        ({"quantize": "fp8", "dtype": "float16"}, "leave dtype at 'auto'"),
        ({"extra_args": ("--draft-model-id", "x")}, "--speculate"),
        ({"extra_args": ("--gpu-memory-utilization=0.9",)}, "--cuda-memory-fraction"),
        ({"extra_args": ("--max-input-length", "9")}, "engine_max_input_tokens"),
        ({"extra_args": ("--cuda-graph", "0")}, "did you mean --cuda-graphs?"),
        ({"extra_args": ("--otlp-service-name", "a b")}, "splits arguments at spaces"),
    ],
)
def test_what_tgi_cannot_do_is_said(changes: dict[str, object], words: str) -> None:
    [fault] = Tgi().faults(engine("tgi", **changes))
    assert words in fault


def test_bitsandbytes_goes_with_a_dtype() -> None:
    assert Tgi().faults(engine("tgi", quantize="bitsandbytes-nf4", dtype="float16")) == []


def test_the_stop_deadline_covers_router_and_shards() -> None:
    assert Tgi().stop_deadline(engine("tgi", drain_deadline=90)) == 195


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.startswith("tgi")])
def test_the_launchers_own_grammar_takes_the_command(name: str) -> None:
    spec = EXAMPLES[name]
    flags = parse(Tgi().container(spec, WEIGHTS, GPUS[: spec.gpus]).command, {})
    assert flags.text("model_id") == "/model"
    assert flags.count("max_total_tokens") == spec.max_total_tokens
    assert flags.on("json_output")


def test_knows_every_flag_of_the_launcher() -> None:
    names = {flag.name for flag in load_flags()} - {"--help", "--version"}
    assert names == KNOWN
