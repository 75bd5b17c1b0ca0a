"""What is made of a host's output; the connections themselves are in test_local."""

from fleet.commands.hosts import Answer
from fleet.commands.ssh import MARK, read


def test_the_last_line_is_the_exit_code() -> None:
    assert read("a", ["x", f"{MARK}9", "y", "", f"{MARK}3"], "oh") == Answer(
        host="a", code=3, out=f"x\n{MARK}9\ny", err="oh"
    )


def test_what_comes_after_it_is_no_answer_of_the_command() -> None:
    assert read("a", ["x", f"{MARK}0", "logout"], "").out == "x"


def test_without_it_the_command_did_not_end() -> None:
    found = read("a", ["x"], "sudo: a password is required\n")
    assert (found.code, found.problem) == (
        None,
        "cannot be asked: sudo: a password is required",
    )
    assert read("a", [], "").problem == "cannot be asked: the connection was lost"
