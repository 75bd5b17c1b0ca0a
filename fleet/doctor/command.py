"""`stoker doctor`: what is wrong on each host and on this machine, and how it is put right.

Exit codes: 0 nothing found · 1 faults or warnings · 2 wrong use · 3 a host could not be examined
(whatever was found on the others).
"""

import argparse
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
from pyinfra.api.host import Host

from agent.doctor.real import RealNode
from fleet import specs, validate
from fleet.command import Command, WrongUseError
from fleet.doctor import control, reach
from fleet.doctor.document import Document, code, document, render


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


COMMAND = Command(
    name="doctor",
    help="what is wrong on the hosts, and how it is put right; changes nothing",
    arguments=arguments,
    run=run,
)
