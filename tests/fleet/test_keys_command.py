import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import StokerError
from fleet import keys, keys_command
from fleet.command import WrongUseError
from fleet.render import ROOT

KEY = "sk-0123456789abcdef"


def stoker(*arguments: object) -> int:
    """Run it as `fleet.cli` does, which takes gevent with it."""
    parser = argparse.ArgumentParser()
    keys_command.arguments(parser)
    try:
        return keys_command.run(parser.parse_args([str(one) for one in arguments]))
    except StokerError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, WrongUseError) else 1


def test_a_new_key_is_appended_and_printed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# mine\nalice {KEY}")
    path.chmod(0o644)
    assert stoker("new", "bob", "--file", path, "--expires", "2099-12-31", "--burst", 3) == 0
    shown = capsys.readouterr().out.strip()
    assert path.read_text().splitlines() == [
        "# mine",
        f"alice {KEY}",
        f"bob {shown} expires=2099-12-31 burst=3",
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(shown) > 40
    assert list(tmp_path.iterdir()) == [path]


def test_the_first_key_makes_the_file(tmp_path: Path) -> None:
    assert stoker("new", "alice", "--file", tmp_path / "keys") == 0
    assert [key.name for key in keys.parse((tmp_path / "keys").read_text())] == ["alice"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["Bob"], 2, "a name has"),
        (["bob x"], 2, "neither a space nor a '#'"),
        (["bob", "--burst", "3 disabled"], 2, "neither a space nor a '#'"),
        (["bob", "--expires", "soon"], 2, "expires= needs a day"),
        (["bob", "--concurrent", "0"], 2, "concurrent= needs"),
    ],
)
def test_a_wrong_wish_leaves_the_file_alone(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    path = tmp_path / "keys"
    path.write_text(f"alice {KEY}\n")
    assert stoker("new", *arguments, "--file", path) == code
    assert said in capsys.readouterr().err
    assert path.read_text() == f"alice {KEY}\n"


def test_a_third_key_of_a_client_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys"
    path.write_text(f"alice {KEY}1\nalice {KEY}2\n")
    assert stoker("new", "alice", "--file", path) == 1
    assert "alice has 3 keys" in capsys.readouterr().err


def test_the_list_shows_everything_but_the_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "keys"
    path.write_text(
        f"alice {KEY}1 concurrent=8\nbob {KEY}2 disabled\ncarol {KEY}3 expires=2020-01-01\n"
    )
    assert stoker("list", "--file", path) == 0
    shown = capsys.readouterr().out
    assert [line.split() for line in shown.splitlines()[1:]] == [
        ["alice", "good", "-", "-", "-", "8"],
        ["bob", "disabled", "-", "-", "-", "-"],
        ["carol", "expired", "2020-01-01", "-", "-", "-"],
    ]
    assert KEY not in shown


def test_check_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "keys"
    path.write_text(f"alice {KEY}\n")
    path.chmod(0o600)
    assert stoker("check", path) == 0
    path.chmod(0o644)
    assert stoker("check", path) == 1
    path.write_text(f"alice {KEY} oops\n")
    assert stoker("check", path) == 1
    assert stoker("check", tmp_path / "none") == 1
    said = capsys.readouterr().err
    assert "chmod 600" in said
    assert "line 1: unknown option" in said
    assert "No such file" in said
    assert KEY not in said


def test_without_a_file_the_inventory_names_it(tmp_path: Path) -> None:
    inventory = tmp_path / "none.py"
    command = [sys.executable, "-m", "fleet.cli", "keys", "list", "--inventory", str(inventory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no such inventory" in done.stderr
