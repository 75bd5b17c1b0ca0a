"""Every command that the documentation shows exists, with every flag that it names."""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import pytest

from agent import ctl, releasing
from agent.weights import command as weights
from fleet.render import ROOT
from tests.docs import pages
from tests.docs.pages import Code

START = re.compile(
    r"^\s*(?:\$ )?(?:ssh \S+ '?)?(?:sudo )?(?:\.venv/bin/)?"
    r"(stoker|stokerctl|stoker-release|stoker-weights|make) +(\S.*)"
)
END = re.compile(r"\s#\s|\s#$|→|;|\s&&\s|\s\|\s")
ALTERNATIVES = re.compile(r"\s#\s|→|;|\s&&\s")
FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z-]*|-[a-z])(?![\w-])")
# Each parser as [flags, {subcommand: the same}]; `stoker`'s is made in a process of its own,
# because its modules let gevent patch everything.
DUMP = """
def dump(parser):
    import argparse
    subs = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            subs = {name: dump(one) for name, one in action.choices.items()}
    return [[flag for a in parser._actions for flag in a.option_strings], subs]
"""
Known = tuple[list[str], dict[str, Any]]


@cache
def programs() -> dict[str, Known]:
    space: dict[str, Any] = {}
    exec(DUMP, space)
    found: dict[str, Known] = {
        "stokerctl": space["dump"](ctl._parser()),
        "stoker-release": space["dump"](releasing._parser()),
        "stoker-weights": space["dump"](weights._parser()),
    }
    program = f"{DUMP}\nimport json\nfrom fleet import cli\nprint(json.dumps(dump(cli.parser())))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found["stoker"] = json.loads(done.stdout)
    return found


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def shown() -> Iterator[tuple[Code, str, str]]:
    """Yield the place, the program and the rest of each command line."""
    for code in pages.code():
        if match := START.match(code.text):
            rest = re.sub(r"\"[^\"]*\"|'[^']*'", "WORD", match[2])
            # In a block | is a pipe; in a span it stands between alternatives.
            end = END if code.block else ALTERNATIVES
            yield code, match[1], end.split(rest)[0]


def faults(program: str, rest: str) -> list[str]:
    """Say what of a command line does not exist."""
    if program == "make":
        words = [word for word in rest.split() if "=" not in word]
        return [f"make {word}" for word in words if word not in targets()]
    known = programs()[program]
    words = re.sub(r"\s*\\?\|\s*", "|", rest).split()
    return _faults(program, [known], words)


def _faults(path: str, known: Sequence[Known], words: Sequence[str]) -> list[str]:
    subs = {name: one for _, its in known for name, one in its.items()}
    if subs and words:
        names = words[0].strip("[]").split("|")
        wrong = [f"{path} {name}" for name in names if name not in subs]
        if wrong:
            return wrong
        deeper = [subs[name] for name in names]
        return _faults(f"{path} {words[0]}", deeper, words[1:])
    flags = {flag for own, _ in known for flag in own}
    asked = FLAG.findall(" ".join(words))
    return [f"{path} {flag}" for flag in asked if flag not in flags]


def test_every_command_exists_with_its_flags() -> None:
    wrong = [
        f"{code.page.relative_to(ROOT)}:{code.line}: {fault}"
        for code, program, rest in shown()
        for fault in faults(program, rest)
    ]
    assert wrong == []


def test_many_commands_are_looked_at() -> None:
    found = [program for _, program, _ in shown()]
    assert found.count("stoker") > 60
    assert found.count("stokerctl") > 20
    assert found.count("make") > 10


@pytest.mark.parametrize(
    ("program", "rest", "wrong"),
    [
        ("stoker", "staus INVENTORY", ["stoker staus"]),
        ("stoker", "status INVENTORY --sorted worst", ["stoker status --sorted"]),
        ("stoker", "lock status|steel INVENTORY", ["stoker lock steel"]),
        ("stoker", "drain | undrain INVENTORY HOST… --reason WHY [--wait SECONDS]", []),
        ("stoker", "drain | undrian INVENTORY", ["stoker undrian"]),
        ("stoker", "export kubernetes inventory/mine.py --out k8s/ --limits", [
            "stoker export kubernetes --limits"
        ]),
        ("stokerctl", "ack INCIDENT --because x", ["stokerctl ack --because"]),
        ("make", "validate INVENTORY=x", []),
        ("make", "validat INVENTORY=x", ["make validat"]),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_seen(program: str, rest: str, wrong: list[str]) -> None:
    assert faults(program, rest) == wrong


def test_a_parser_is_read_whole() -> None:
    parser = argparse.ArgumentParser()
    subs = parser.add_subparsers()
    subs.add_parser("a").add_argument("--b", "-c")
    space: dict[str, Any] = {}
    exec(DUMP, space)
    assert "--b" in space["dump"](parser)[1]["a"][0]
