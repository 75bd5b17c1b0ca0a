"""`stoker scale`: how many engines each model wants by its queues, and who is told of a change.

Exit codes: 0 looked at, and whoever was to be told was · 1 somebody could not be told · 2 wrong
use · 3 a host could not be asked (then nothing is taken away).
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import msgspec
from pyinfra.api.inventory import Inventory

from agent.errors import StokerError
from agent.spec import HostSpec
from fleet import program, specs
from fleet.command import Command, WrongUseError
from fleet.commands import selection, ssh, status
from fleet.commands.hosts import Ask, Connect, everywhere
from fleet.commands.nodes import Fleet
from fleet.commands.shown import awaiting, colours
from fleet.scaling import notebook, replicas, rounds, text
from fleet.scaling.post import Post, secret
from fleet.scaling.rounds import ModelScale, Teller, Way
from fleet.scaling.run_command import RunCommand
from fleet.scaling.telling import Memory

INVENTORY = "inventory/prod.py"
LEAST = 5.0  # seconds between two looks


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints; `at` seconds since 1970, `unreached`: host → why."""

    inventory: str
    at: float
    models: dict[str, ModelScale]
    unreached: dict[str, str]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "inventory", nargs="?", default=INVENTORY, help="inventory file (default: %(default)s)"
    )
    parser.add_argument("--model", metavar="NAME", help="this model alone, as clients call it")
    parser.add_argument("--json", action="store_true", help="print one document a look")
    parser.add_argument(
        "--watch", type=float, metavar="SECONDS", help="look again and again, with this pause"
    )
    parser.add_argument(
        "--run",
        dest="line",  # `run` is the command's own
        metavar="COMMAND",
        help="run this when another number is wanted; no shell sees it",
    )
    parser.add_argument("--webhook", metavar="URL", help="POST it there, signed")
    parser.add_argument("--webhook-secret-file", metavar="FILE", help="what signs the POST")
    parser.add_argument(
        "--deadline", type=float, default=60.0, metavar="SECONDS", help="of one command or POST"
    )


def loaded(path: str) -> tuple[Inventory, dict[str, HostSpec]]:
    """Read an inventory as it is now, and make the spec of every host; raise `WrongUseError`."""
    from pyinfra_cli import util  # noqa: PLC0415 - see `validate.load`

    util.PYTHON_CODES.clear()  # hosts come and go, also in the file
    inventory, _ = selection.load(path, ())
    made, faults = specs.examine(inventory)
    if faults and len(made) < len(inventory):
        raise WrongUseError("\n".join(faults))
    return inventory, made


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """The edges of the command."""

    load: Callable[[str], tuple[Inventory, dict[str, HostSpec]]] = loaded
    connect: Connect = ssh.connected
    clock: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep
    out: TextIO = sys.stdout
    root: Path = program.CACHE


def run(options: argparse.Namespace, desk: Desk | None = None) -> int:
    """Look once, or until interrupted; return the exit code of the last look."""
    desk = desk or Desk()
    if options.watch is not None and options.watch < LEAST:
        raise WrongUseError(f"--watch {options.watch:g}: expected {LEAST:g} seconds or more")
    teller = Teller(ways(options), os.uname().nodename)
    path = notebook.place(options.inventory, desk.root)
    while True:
        try:
            code = _look(options, desk, path, teller)
        except StokerError as error:
            if options.watch is None:
                raise
            # What is wrong of the inventory now may be right at the next look.
            print(f"stoker: {error}", file=sys.stderr, flush=True)
            code = 1
        if options.watch is None:
            return code
        desk.pause(options.watch)


def ways(options: argparse.Namespace) -> Sequence[Way]:
    """Return how a change is told; raise `WrongUseError`."""
    found: list[Way] = []
    if options.line is not None:
        found.append(RunCommand(options.line, options.deadline))
    if options.webhook is not None:
        key = secret(options.webhook_secret_file)
        found.append(Post(options.webhook, key, options.deadline))
    return found


def _look(options: argparse.Namespace, desk: Desk, path: Path, teller: Teller) -> int:
    inventory, made = desk.load(options.inventory)
    names = list(made)
    with desk.connect(inventory, names) as hosts, awaiting(names) as heard:
        ask = Ask(command=status.COMMAND_LINE, deadline=status.DEADLINE)
        answers = hosts.ask(everywhere(names, ask), heard)
    fleet = status.fleet(options.inventory, answers)
    memories, now = notebook.load(path), desk.clock()
    models = decided(made, fleet, memories, teller, now, options.model)
    notebook.save(path, {**memories, **{name: kept for name, (_, kept) in models.items()}})
    document = Document(
        inventory=options.inventory,
        at=now,
        models={name: scale for name, (scale, _) in models.items()},
        unreached={name: node.problem for name, node in fleet.nodes.items() if node.problem},
    )
    if options.json:
        shown = msgspec.json.encode(document).decode()
    else:
        shown = text.render(document.models, colour=colours(desk.out))
    print(shown, file=desk.out, flush=True)
    return code(document)


def decided(
    made: dict[str, HostSpec],
    fleet: Fleet,
    memories: notebook.Memories,
    teller: Teller,
    now: float,
    only: str | None = None,
) -> dict[str, tuple[ModelScale, Memory]]:
    """Decide about each model, and tell."""
    wishes, faults = replicas.wishes(made)
    if faults:
        raise StokerError("\n".join(faults))
    found = replicas.of(made, fleet)
    if only is not None and only not in found:
        raise WrongUseError(
            f"--model {only}: no host of the inventory serves it; there are: {', '.join(found)}"
        )
    results: dict[str, tuple[ModelScale, Memory]] = {}
    for name, its in found.items():
        if only in {None, name}:
            wish = wishes[name]
            scale, memory = rounds.look(wish, its, memories.get(name, Memory()), now)
            results[name] = teller.tell(name, scale, wish, memory, now)
    return results


def code(document: Document) -> int:
    """Return the exit code. Pure."""
    if rounds.unfinished(document.models):
        return 1
    return 3 if document.unreached else 0


COMMAND = Command(
    name="scale",
    help="how many engines each model wants, by the requests that wait; tells a command or a URL",
    arguments=arguments,
    run=run,
)
