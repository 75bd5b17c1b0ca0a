import pytest

from agent.engines.arguments import faults, name
from agent.engines.flags import Flag
from agent.engines.program import Program


def flag(spellings: str, kind: str = "text", choices: str = "") -> Flag:
    return Flag(tuple(spellings.split()), "", kind, tuple(choices.split()), "")


FLAGS = [
    flag("--port -p", "int"),
    flag("--api-key"),
    flag("--cuda-graphs"),
    flag("--cuda-memory"),
    flag("--dtype", choices="half float"),
    flag("--eager --no-eager", "switch"),
    flag("--ratio", "float"),
    flag("--sizes", "list"),
    flag("--checksum", "maybe"),
    flag("--json-arg -ja"),
]
STRICT = Program(
    title="Prog 1.0",
    flags={spelling: one for one in FLAGS for spelling in one.spellings},
    owned={"--port": "engine_port"},
    wrong={"--ngrok": "it panics", "--api-key": "a secret", "-O": "write --level"},
)
LOOSE = STRICT._replace(loose=True)
CLAP = STRICT._replace(abbreviates=False)


@pytest.mark.parametrize(
    ("argument", "flag"),
    [
        ("--port", "--port"),
        ("--port=80", "--port"),
        ("--max_model_len", "--max-model-len"),
        ("--json-arg.key_one.b=1.5", "--json-arg"),
        ("-p", "-p"),
        ("0.9", None),
        ("-1", None),
        ("-.5", None),
        ('{"method":"ngram"}', None),
    ],
)
def test_name_of_a_flag(argument: str, flag: str | None) -> None:
    assert name(argument) == flag


@pytest.mark.parametrize(
    "arguments",
    [
        ("--cuda-graphs", "0"),
        ("--cuda-graphs=0", "--eager"),
        ("--ratio", "-1"),
        ("--ratio=0.5", "--no-eager"),
        ("--sizes", "1", "2", "3", "--eager"),
        ("--sizes",),
        ("--checksum", "--eager"),
        ("--checksum", "x"),
        ("--dtype", "half"),
        ("-ja", '{"a": 1}'),
    ],
)
def test_good_flags_and_their_values_pass(arguments: tuple[str, ...]) -> None:
    assert list(faults(arguments, STRICT)) == []


@pytest.mark.parametrize(
    ("program", "arguments", "sentence"),
    [
        (STRICT, ("--port=80",), "'--port': is set by Stoker from engine_port"),
        (STRICT, ("-p", "80"), "'-p': is set by Stoker from engine_port"),
        (STRICT, ("-p80",), "'-p80': is set by Stoker from engine_port"),
        (STRICT, ("--ngrok",), "'--ngrok': it panics"),
        (STRICT, ("-O3",), "'-O3': write --level"),
        (
            STRICT,
            ("--cuda-graphz", "0"),
            "'--cuda-graphz': Prog 1.0 has no such flag (did you mean --cuda-graphs?)",
        ),
        (
            STRICT,
            ("--prt", "1"),
            "'--prt': Prog 1.0 has no such flag (did you mean --port, which is set by Stoker from "
            "engine_port?)",
        ),
        (STRICT, ("--wholly-unlike",), "'--wholly-unlike': Prog 1.0 has no such flag"),
        (
            STRICT,
            ("--cuda-g", "0"),
            "'--cuda-g': is short for --cuda-graphs; write flags in full",
        ),
        (
            STRICT,
            ("--por=1",),
            "'--por': is short for --port, which is set by Stoker from engine_port; write flags "
            "in full",
        ),
        (
            STRICT,
            ("--cuda", "0"),
            "'--cuda': is short for several flags (--cuda-graphs, --cuda-memory); write flags in "
            "full",
        ),
        (
            STRICT,
            ("--c", "0"),
            "'--c': is short for several flags (--checksum, --cuda-graphs, --cuda-memory); write "
            "flags in full",
        ),
        (STRICT, ("-j", "{}"), "'-j': is short for --json-arg; write flags in full"),
        (
            CLAP,
            ("--cuda-graph", "0"),
            "'--cuda-graph': Prog 1.0 has no such flag (did you mean --cuda-graphs?)",
        ),
        (STRICT, ("-ja{}",), "'-ja{}': write '-ja' and its value apart"),
        (
            STRICT,
            ("--cuda_graphs", "0"),
            "'--cuda_graphs': Prog 1.0 has no such flag (did you mean --cuda-graphs?)",
        ),
        (STRICT, ("--eager=1",), "'--eager': takes no value"),
        (STRICT, ("--dtype",), "'--dtype': needs a value"),
        (STRICT, ("--dtype", "--eager"), "'--dtype': needs a value"),
        (STRICT, ("--dtype", "int8"), "'--dtype': takes half, float, not 'int8'"),
        (STRICT, ("--ratio=x",), "'--ratio': takes a number, not 'x'"),
        (STRICT, ("--eager", "1"), "'1': is the value of no flag"),
        (STRICT, ("--dtype", "half", "x"), "'x': is the value of no flag"),
        (STRICT, ("/model",), "'/model': is the value of no flag"),
    ],
)
def test_each_fault_has_its_sentence(
    program: Program, arguments: tuple[str, ...], sentence: str
) -> None:
    assert list(faults(arguments, program)) == [f"extra_args: {sentence}"]


def test_a_whole_number_is_asked_for() -> None:
    free = STRICT._replace(owned={})
    assert list(faults(("--port", "1.5"), free)) == [
        "extra_args: '--port': takes a whole number, not '1.5'"
    ]


def test_what_loose_programs_take() -> None:
    assert list(faults(("--cuda_graphs", "0", "--json-arg.a.b", "1"), LOOSE)) == []


def test_all_faults_are_told_at_once_and_in_order() -> None:
    found = list(faults(("--port=80", "--ngrok", "x", "--eager", "1"), STRICT))
    assert [fault.split(": ")[1] for fault in found] == ["'--port'", "'--ngrok'", "'1'"]


@pytest.mark.parametrize(
    "arguments", [("--api-key=sk-1",), ("--api-key", "sk-1"), ("--ky", "sk-1")]
)
def test_the_value_of_a_refused_flag_is_not_repeated(arguments: tuple[str, ...]) -> None:
    [fault] = faults(arguments, STRICT)
    assert "sk-1" not in fault
