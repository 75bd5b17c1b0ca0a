"""`stoker doctor`: what is wrong on each host and on this machine, and how it is put right.

Exit codes: 0 nothing found · 1 faults or warnings · 2 wrong use · 3 a host could not be examined
(whatever was found on the others).
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
from pyinfra.api.host import Host

from agent.doctor import text
from agent.doctor.command import GRAVE
from agent.doctor.finding import Finding
from agent.doctor.real import RealNode
from fleet import specs, validate
from fleet.command import Command, WrongUseError
from fleet.doctor import control, reach
from fleet.doctor.clocks import clock
from fleet.doctor.reach import Answer

HERE = "this machine"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints. `not_examined`: host → why."""

    inventory: str
    findings: dict[str, tuple[Finding, ...]]
    not_examined: dict[str, str]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("inventory", help="inventory file")
    parser.add_argument(
        "--limit", nargs="+", default=[], metavar="HOST", help="only these hosts or groups"
    )
    parser.add_argument("--json", action="store_true", help="print it as one document")
    parser.add_argument("--all", action="store_true", help="show notes too")


def run(options: argparse.Namespace) -> int:
    """Examine, print, and return the exit code."""
    made = make(Path(options.inventory), options.limit)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(made)).decode())
    else:
        print(render(made, notes=options.all, colour=sys.stdout.isatty()))
    return code(made)


def make(path: Path, limit: Sequence[str]) -> Document:
    """Ask all hosts, and look at this machine's files."""
    try:
        inventory = validate.load(path)
    except ValueError as error:
        raise WrongUseError(str(error)) from error
    names = [host.name for host in inventory if _selected(host, limit)]
    if not names:
        said = f"--limit {' '.join(limit)}: no host and no group of {path} is called so"
        raise WrongUseError(said)
    made, faults = specs.examine(inventory)
    wanted = [spec for name, spec in made.items() if name in names]
    here = control.findings(RealNode(), path, wanted, faults, time.time())
    return document(str(path), here, reach.ask(inventory, names))


def _selected(host: Host, limit: Sequence[str]) -> bool:
    names = [host.name, *host.groups]
    return not limit or any(fnmatchcase(name, one) for name in names for one in limit)


def document(path: str, here: Sequence[Finding], answers: Mapping[str, Answer]) -> Document:
    """Put what was found together. Pure."""
    found = {HERE: tuple(here)} if here else {}
    for name, answer in answers.items():
        if answer.report is not None:
            found[name] = (*answer.report.findings, *clock(answer))
    problems = {name: answer.problem for name, answer in answers.items() if not answer.report}
    return Document(inventory=path, findings=found, not_examined=problems)


def render(made: Document, *, notes: bool, colour: bool) -> str:
    """Return the text: what could not be examined first, then findings, then the counts. Pure."""
    lines = [text.silent(name, why) for name, why in made.not_examined.items()]
    hosts = [name for name in made.findings if name != HERE]
    if made.findings:
        lines.append(text.render(made.findings, notes=notes, colour=colour))
    examined = f"{len(hosts)} host(s) examined"
    lines.append(examined + (f", {len(made.not_examined)} not" if made.not_examined else ""))
    return "\n".join(lines)


def code(made: Document) -> int:
    """Return the exit code. Pure."""
    if made.not_examined:
        return 3
    grave = any(one.severity in GRAVE for found in made.findings.values() for one in found)
    return int(grave)


COMMAND = Command(
    name="doctor",
    help="what is wrong on the hosts, and how it is put right; changes nothing",
    arguments=arguments,
    run=run,
)
