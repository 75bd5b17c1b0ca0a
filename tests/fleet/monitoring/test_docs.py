"""Runbooks: every alert has one, all are alike, and what they tell to type exists."""

import argparse
import re
from pathlib import Path

import pytest

from agent import ctl
from fleet.monitoring import __main__ as export
from fleet.render import ROOT
from tests.fleet.monitoring.test_rules import ALERTS

RUNBOOKS = ROOT / "docs" / "runbooks"
PAGES = sorted(path for path in RUNBOOKS.glob("*.md") if path.name != "index.md")
SECTIONS = ["What it means", "Look", "Do"]


def verbs(program: str) -> set[str]:
    if program == "stoker":
        # Importing `fleet.cli` would patch this process, as pyinfra's own command line does.
        return set(re.findall(r"`stoker ([a-z]+)", (ROOT / "docs/commands.md").read_text()))
    parser = ctl._parser()
    [found] = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return set(found.choices)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_a_runbook_says_what_it_means_where_to_look_and_what_to_do(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == SECTIONS
    for part in re.split(r"^## .*\n", text, flags=re.MULTILINE)[1:]:
        assert len(part.strip()) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_what_a_runbook_tells_to_type_exists(page: Path) -> None:
    parts = re.findall(r"```(.*?)```|`([^`\n]+)`", page.read_text(), re.DOTALL)
    code = "\n".join("".join(part) for part in parts)
    for program, verb in re.findall(r"(?<![\w/-])(stoker|stokerctl) ([a-z]+)", code):
        assert verb in verbs(program), f"{page.name}: {program} {verb}"


@pytest.mark.parametrize("page", [*PAGES, RUNBOOKS / "index.md"], ids=lambda page: str(page.stem))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_the_index_has_every_alert() -> None:
    told = set(re.findall(r"`(Stoker\w+)`", (RUNBOOKS / "index.md").read_text()))
    assert told == set(ALERTS)


def test_boards_and_rules_can_be_taken_away(tmp_path: Path) -> None:
    assert export.main([str(tmp_path / "out"), "https://wiki/x"]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"stoker-fleet.json", "stoker-gpu.json", "nodes.yml", "recording.yml"} <= names
    assert "https://wiki/x/node-down.md" in (tmp_path / "out" / "nodes.yml").read_text()
    assert export.main([]) == 2
