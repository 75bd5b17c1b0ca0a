"""`stoker brake`: who holds a slot, and freeing one that will not be given back by itself.

Exit codes: 0 done · 1 refused or failed · 2 wrong use · 3 a host could not be reached.
"""

import argparse
import getpass
import sys
import time
from pathlib import Path

import msgspec
from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.inventory import Inventory

from agent import slots
from agent.errors import SpecError
from fleet import specs, validate
from fleet.brake import asking, table
from fleet.command import Command, WrongUseError
from fleet.plan.command import selected

_CTL = "/usr/local/bin/stokerctl brake"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("inventory", help="inventory file")
    parser.add_argument(
        "--limit", nargs="+", default=[], metavar="HOST", help="only these hosts or groups"
    )
    parser.add_argument("--json", action="store_true", help="print it as one document")
    parser.add_argument(
        "--free", metavar="NAME", help="give back the slot of this host, or the one of this name"
    )
    parser.add_argument("--via", metavar="HOST", help="the host that tells the server (any)")
    parser.add_argument("--reason", help="why, for the audit log of the host; needed to free")


def run(options: argparse.Namespace) -> int:
    """Show or free; return the exit code."""
    try:
        inventory = validate.load(Path(options.inventory))
    except ValueError as error:
        raise SpecError(str(error)) from error
    names = [host.name for host in inventory if selected(host, options.limit)]
    if options.free is not None:
        return _free(inventory, names, options)
    found = table.nodes(asking.ask(inventory, names, StringCommand(f"{_CTL} --json")))
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        print(table.render(found, time.time()))
    return 3 if any(one.problem for one in found) else 0


def _free(inventory: Inventory, names: list[str], options: argparse.Namespace) -> int:
    if not options.reason:
        raise WrongUseError("--free needs a --reason")
    own = options.free in names
    via = options.free if own else options.via or next(iter(names), "")
    if via not in names:
        raise WrongUseError(f"--via {via}: there is no such host here")
    name = [] if own else [QuoteString(options.free), *_groups(inventory, options.free)]
    command = StringCommand(
        f"{_CTL} --free", *name,
        "--reason", QuoteString(options.reason), "--by", QuoteString(getpass.getuser()),
    )  # fmt: skip
    said = asking.ask(inventory, [via], command)[via]
    if said.problem:
        hint = "; name its slot instead, and a host with --via" if own else ""
        print(f"stoker: {via} cannot be reached: {said.problem}{hint}", file=sys.stderr)
        return 3
    print(said.out or said.error, file=sys.stdout if said.done else sys.stderr)
    return 0 if said.done else 1


def _groups(inventory: Inventory, slot: str) -> list[str | QuoteString]:
    """Return the groups of the host whose name a slot begins with, if it is in the inventory."""
    for host in inventory:
        if slot.startswith(f"{host.name}."):
            spec = specs.of(host)
            models = {engine.model for engine in spec.engines.values()}
            wanted = slots.groups(spec.agent.fleetlock_group, models)
            return [part for group in wanted for part in ("--group", QuoteString(group))]
    return []


COMMAND = Command(
    name="brake",
    help="who holds a slot of the fleet brake; free one that will not be given back",
    arguments=arguments,
    run=run,
)
