"""The tables of flags, whichever program they are of."""

import pytest

from agent.engines import ENGINES, arguments, flags, sglang_flags, tgi_flags, vllm_flags
from agent.engines.program import Program
from tests.agent.engines.examples import EXAMPLES, WEIGHTS, gpus

PROGRAMS = {"tgi": tgi_flags.PROGRAM, "vllm": vllm_flags.PROGRAM, "sglang": sglang_flags.PROGRAM}
KINDS = {"switch", "int", "float", "text", "maybe", "list"}
BEFORE = {"tgi": 0, "vllm": 1, "sglang": 2}  # words before the first flag


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> Program:
    return PROGRAMS[request.param]


@pytest.mark.parametrize(
    ("kind", "spelling", "name", "is_a", "default"),
    [
        ("tgi", "-g", "--graceful-termination-timeout", "int", "90"),
        ("vllm", "-tp", "--tensor-parallel-size", "int", "1"),
        ("vllm", "--no-enable-prefix-caching", "--enable-prefix-caching", "switch", ""),
        ("vllm", "--gpu-memory-utilization", "--gpu-memory-utilization", "float", "0.92"),
        ("sglang", "--model", "--model-path", "text", ""),
        ("sglang", "--lora-paths", "--lora-paths", "list", ""),
    ],
)
def test_a_flag_is_found_under_each_of_its_spellings(
    kind: str, spelling: str, name: str, is_a: str, default: str
) -> None:
    found = flags.table(kind)[spelling]
    assert (found.name, found.kind, found.default) == (name, is_a, default)


def test_rows_are_well_formed(program: Program) -> None:
    for spelling, flag in program.flags.items():
        assert spelling in flag.spellings
        assert flag.kind in KINDS
        assert all(one.startswith("-") for one in flag.spellings)


def test_what_stoker_sets_is_a_flag_under_its_first_spelling(program: Program) -> None:
    assert [flag for flag in program.owned if program.flags[flag].name != flag] == []


def test_no_flag_is_both_ours_and_a_mistake(program: Program) -> None:
    assert program.owned.keys() & program.wrong.keys() == set()


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_table_takes_every_golden_command(name: str) -> None:
    spec = EXAMPLES[name]
    command = ENGINES[spec.kind].container(spec, WEIGHTS, gpus(spec)).command
    free = PROGRAMS[spec.kind]._replace(owned={}, wrong={})
    assert list(arguments.faults(command[BEFORE[spec.kind] :], free)) == []
