import pytest

from agent.engines.arguments import environment_faults, faults, name

OWNED = {"--port": "engine_port"}
WRONG = {"--ngrok": "it panics"}
KNOWN = ("--port", "--ngrok", "--cuda-graphs")


@pytest.mark.parametrize(
    ("argument", "flag"),
    [
        ("--port", "--port"),
        ("--port=80", "--port"),
        ("--max_model_len", "--max-model-len"),
        ("-p", "-p"),
        ("0.9", None),
        ("-1", None),
        ("-.5", None),
        ('{"method":"ngram"}', None),
    ],
)
def test_name_of_a_flag(argument: str, flag: str | None) -> None:
    assert name(argument) == flag


def test_good_flags_and_their_values_pass() -> None:
    assert list(faults(("--cuda-graphs", "0", "-1"), OWNED, WRONG, KNOWN)) == []


def test_each_kind_of_fault_has_its_sentence() -> None:
    found = list(faults(("--port=80", "--ngrok", "--cuda-graph"), OWNED, WRONG, KNOWN))
    assert found == [
        "extra_args: '--port': is set by Stoker from engine_port",
        "extra_args: '--ngrok': it panics",
        "extra_args: '--cuda-graph': unknown flag (did you mean --cuda-graphs?)",
    ]


def test_without_a_list_of_known_flags_none_is_unknown() -> None:
    assert list(faults(("--anything",), OWNED, WRONG)) == []


def test_the_value_of_a_refused_flag_is_not_repeated() -> None:
    assert "sk-1" not in "".join(faults(("--ngrok=sk-1",), OWNED, WRONG))


def test_variables_of_ours_are_refused() -> None:
    assert list(environment_faults({"A": "0", "B": "1"}, {"A": "1"})) == [
        "environment['A']: is set by Stoker to '1'; remove it"
    ]
