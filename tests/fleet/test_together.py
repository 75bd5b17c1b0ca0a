"""Many looks in one command say what each would say alone."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.facts import together

MARK = "looked-0"


def run(commands: list[str]) -> list[list[str] | None]:
    script = together.script(commands, MARK)
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=False)
    return together.apart(done.stdout.split("\n")[:-1], MARK)


def alone(command: str) -> list[str] | None:
    done = subprocess.run(
        ["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    lines = done.stdout.split("\n")
    return None if done.returncode else lines[:-1] if lines[-1] == "" else lines


AWKWARD = [
    "printf ''",
    "printf a",
    "echo a",
    "echo; echo",
    "printf 'a\\n\\n'",
    "echo a; exit 3",
    "echo a; exit 0; echo b",
    "set -e; false; echo b",
    "trap 'echo gone' EXIT; echo here",
    "cat; echo 'nothing to read'",
    "if then; echo",
    "look() { echo \"$1\"; }; look 'it'\"'\"'s'",
    "x=1; cd /; false",
    'echo "${x:-unset} $PWD"',
    "echo no newline >&2; printf 'a b'",
]


def test_awkward_looks_do_not_touch_each_other() -> None:
    assert run(AWKWARD) == [alone(command) for command in AWKWARD]


def test_a_look_that_reads_does_not_eat_the_looks_after_it() -> None:
    assert run(["cat", *["echo a"] * 1500]) == [[], *[["a"]] * 1500]


@given(st.lists(st.text("ab \n'\"$\\|", max_size=8), max_size=5))
def test_whatever_is_printed_comes_back(texts: list[str]) -> None:
    lines = [line for text in texts for line in (*_lines(text), f"{MARK} 0")]
    wanted = [text.split("\n")[: -1 if text.endswith("\n") or not text else None] for text in texts]
    assert together.apart(lines, MARK) == wanted


def _lines(text: str) -> list[str]:
    """Split as a reader does that splits what the script prints: the text, and a newline more."""
    return f"{text}\n".split("\n")[:-1]


@pytest.mark.parametrize("code", ["1", "127", "255"])
def test_a_look_that_failed_is_no_answer(code: str) -> None:
    assert together.apart(["a", f"{MARK} {code}", "", f"{MARK} 0"], MARK) == [None, []]


def test_what_was_not_reached_is_missing() -> None:
    assert together.apart(["a", f"{MARK} 0", "half"], MARK) == [["a"]]
