"""`stoker dashboard`: a page of all nodes, live. Reads only; runs until it is ended."""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence

import msgspec
from pyinfra.api.inventory import Inventory

from fleet import specs
from fleet.command import Command, WrongUseError
from fleet.commands import selection
from fleet.dashboard.targets import Fleet, Target, target

LISTEN = "127.0.0.1:9760"
Replace = Callable[[Sequence[str], bytes], int]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("inventory", help="inventory file")
    parser.add_argument(
        "--limit", nargs="+", default=[], metavar="HOST", help="only these hosts or groups"
    )
    parser.add_argument(
        "--listen",
        default=LISTEN,
        metavar="ADDRESS:PORT",
        help="where the page is served, to whoever gets there (%(default)s)",
    )


def replaced(words: Sequence[str], document: bytes) -> int:
    """Go on as another program that finds `document` on its standard input.

    In a process without pyinfra: gevent has patched this one, and asyncio would suffer by it.
    """
    with tempfile.TemporaryFile() as file:
        file.write(document)
        file.seek(0)
        os.dup2(file.fileno(), 0)
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606


def run(options: argparse.Namespace, replace: Replace = replaced) -> int:
    """Find out where the nodes are asked, and become the dashboard."""
    host, port = listen(options.listen)
    inventory, names = selection.load(options.inventory, options.limit)
    fleet = Fleet(inventory=options.inventory, targets=targets(inventory, names))
    return replace(["-m", "fleet.dashboard", host, str(port)], msgspec.json.encode(fleet))


def listen(text: str) -> tuple[str, int]:
    """Return address and port; raise `WrongUseError`. Pure."""
    found = re.fullmatch(r"\[([0-9a-fA-F:.]+)\]:(\d+)|([^\[\]:\s]+):(\d+)", text)
    if found is None or int(found[2] or found[4]) > 65535:
        raise WrongUseError(f"--listen {text}: use ADDRESS:PORT, such as {LISTEN} or [::1]:9760")
    return found[1] or found[3], int(found[2] or found[4])


def targets(inventory: Inventory, names: Sequence[str]) -> tuple[Target, ...]:
    """Return where each host is asked; one with a faulty spec is shown as such. No connection."""
    made, faults = specs.examine([host for host in inventory if host.name in names])
    found = []
    for host in inventory:
        if host.name not in names:
            continue
        if host.name not in made:
            why = next((one for one in faults if host.name in one), "its data is not valid")
            found.append(Target(name=host.name, problem=why))
            continue
        address = str(host.data.get("ssh_hostname") or host.name)
        agent = made[host.name].agent
        found.append(target(host.name, address, agent.listen, agent.port))
    return tuple(found)


COMMAND = Command(
    name="dashboard",
    help="a page of all nodes, live; runs until it is ended",
    arguments=arguments,
    run=run,
)
