"""`stoker brake`: who holds a slot, and freeing one that will not be given back by itself.

Exit codes: 0 done · 1 refused or failed · 2 wrong use · 3 a host could not be reached.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from shlex import quote

import msgspec
from pyinfra.api.inventory import Inventory

from agent import slots
from fleet import holder, specs
from fleet.command import Command, WrongUseError
from fleet.commands import brake_text, selection, ssh
from fleet.commands.hosts import Ask, Connect, everywhere
from fleet.commands.shown import awaiting

_CTL = ("/usr/local/bin/stokerctl", "brake")
DEADLINE = 60.0  # seconds


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    selection.arguments(parser)
    parser.add_argument(
        "--free", metavar="NAME", help="give back the slot of this host, or the one of this name"
    )
    parser.add_argument("--via", metavar="HOST", help="the host that tells the server (any)")
    parser.add_argument("--reason", help="why, for the audit log of the host; needed to free")


def run(options: argparse.Namespace, connect: Connect = ssh.connected) -> int:
    """Show or free; return the exit code."""
    inventory, names = selection.load(options.inventory, options.limit)
    if options.free is not None:
        return _free(inventory, names, options, connect)
    with connect(inventory, names) as hosts, awaiting(names) as heard:
        ask = Ask(command=" ".join((*_CTL, "--json")), deadline=DEADLINE)
        found = brake_text.nodes(hosts.ask(everywhere(names, ask), heard))
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        print(brake_text.render(found, time.time()))
    return 3 if any(one.problem for one in found) else 0


def _free(
    inventory: Inventory, names: Sequence[str], options: argparse.Namespace, connect: Connect
) -> int:
    if not options.reason:
        raise WrongUseError("--free needs a --reason")
    own = options.free in names
    via = options.free if own else options.via or next(iter(names), "")
    if via not in names:
        raise WrongUseError(f"--via {via}: there is no such host here")
    slot = [] if own else [options.free, *_groups(inventory, options.free)]
    words = (*_CTL, "--free", *slot, "--reason", options.reason, "--by", holder.me("").by)
    ask = Ask(command=" ".join(map(quote, words)), deadline=DEADLINE)
    with connect(inventory, [via]) as hosts:
        answer = hosts.ask({via: ask})[via]
    if answer.code is None:
        hint = "; name its slot instead, and a host with --via" if own else ""
        print(f"stoker: {via}: {answer.problem}{hint}", file=sys.stderr)
        return 3
    print(answer.last, file=sys.stdout if answer.good else sys.stderr)
    return 0 if answer.good else 1


def _groups(inventory: Inventory, slot: str) -> Iterator[str]:
    """Yield the groups of the host whose name a slot begins with, if it is in the inventory."""
    for host in inventory:
        if slot.startswith(f"{host.name}."):
            spec = specs.of(host)
            models = {engine.model for engine in spec.engines.values()}
            for group in slots.groups(spec.agent.fleetlock_group, models):
                yield from ("--group", group)


COMMAND = Command(
    name="brake",
    help="who holds a slot of the fleet brake; free one that will not be given back",
    arguments=arguments,
    run=run,
)
