from pathlib import Path

import pytest

from agent.engines import arguments
from agent.engines.base import Load
from agent.engines.tgi import Tgi
from agent.engines.tgi_flags import PROGRAM
from tests.agent.engines.examples import GPUS, TGI, WEIGHTS, engine, gpus
from tests.sandbox.engine_sim.dialects.tgi.flag_table import CHOICES, load_flags
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


def test_bitsandbytes_goes_with_a_dtype() -> None:
    assert Tgi().faults(engine("tgi", quantize="bitsandbytes-nf4", dtype="float16")) == []


def test_the_stop_deadline_covers_router_and_shards() -> None:
    assert Tgi().stop_deadline(engine("tgi", drain_deadline=90)) == 195


@pytest.mark.parametrize("name", TGI)
def test_the_launchers_own_grammar_takes_the_command(name: str) -> None:
    spec = TGI[name]
    flags = parse(Tgi().container(spec, WEIGHTS, gpus(spec)).command, {})
    assert flags.text("model_id") == "/model"
    assert flags.count("max_total_tokens") == spec.max_total_tokens
    assert flags.on("json_output")


@pytest.mark.parametrize("name", TGI)
def test_the_table_of_flags_takes_the_command(name: str) -> None:
    spec = TGI[name]
    free = PROGRAM._replace(owned={}, wrong={})
    command = Tgi().container(spec, WEIGHTS, gpus(spec)).command
    assert list(arguments.faults(command, free)) == []
    assert len(list(arguments.faults([*command, "--draft-model-id", "x"], free))) == 1


def test_knows_every_flag_of_the_launcher() -> None:
    names = {flag.name: flag for flag in load_flags() if flag.name not in {"--help", "--version"}}
    assert {flag.name for flag in PROGRAM.flags.values()} == set(names)
    for flag in PROGRAM.flags.values():
        launchers = names[flag.name]
        assert flag.env == (launchers.env or "")
        assert (flag.kind == "switch") == launchers.is_switch
        assert flag.choices == CHOICES.get(flag.name, ())


def test_prefix_caching_is_said_by_a_variable() -> None:
    said = [
        Tgi().container(engine("tgi", prefix_caching=on), WEIGHTS, GPUS).environment
        for on in (None, True, False)
    ]
    assert [one.get("PREFIX_CACHING") for one in said] == [None, "1", "0"]
