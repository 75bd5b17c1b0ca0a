"""`stoker status`: the whole fleet on one screen. Changes nothing.

Exit codes: 0 every engine serves · 1 one does not · 2 wrong use · 3 a host could not be asked
(whatever was found on the others).
"""

import argparse
import sys
import time
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from agent.errors import GARBLED
from agent.releases import Release
from fleet.command import Command
from fleet.commands import selection, ssh, status_text
from fleet.commands.hosts import Answer, Ask, Connect, everywhere
from fleet.commands.nodes import Fleet, LastDrift, LockHolder, Node, Snapshot
from fleet.commands.shown import awaiting, colours
from fleet.commands.status_text import SORTS

DEADLINE = 20.0  # seconds
_PART = "stoker-part:"
T = TypeVar("T")
# One command a host. A part that is not there is empty; none of them fails.
COMMAND_LINE = (
    "part() { printf '\\nstoker-part:%s\\n' \"$1\"; }; "
    "part agent; timeout 12 /opt/stoker/venv/bin/stokerctl status --json 2>&1; "
    "part releases; timeout 12 /opt/stoker/venv/bin/stoker-release list --json 2>/dev/null; "
    "part drift; cat /var/lib/stoker/drift.json 2>/dev/null; "
    "part lock; cat /var/lib/stoker/lock.json 2>/dev/null; "
    "part maintenance; head -c 200 /etc/stoker/maintenance 2>/dev/null; "
    "part now; date +%s; true"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    selection.arguments(parser)
    parser.add_argument(
        "--sort", choices=SORTS, default="inventory", help="order of the lines (%(default)s)"
    )


def run(options: argparse.Namespace, connect: Connect = ssh.connected) -> int:
    """Ask all hosts, print, and return the exit code."""
    inventory, names = selection.load(options.inventory, options.limit)
    with connect(inventory, names) as hosts, awaiting(names) as heard:
        answers = hosts.ask(everywhere(names, Ask(command=COMMAND_LINE, deadline=DEADLINE)), heard)
    made = fleet(options.inventory, answers)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(made)).decode())
    else:
        print(status_text.render(made, time.time(), options.sort, colour=colours(sys.stdout)))
    return code(made)


def fleet(path: str, answers: Mapping[str, Answer]) -> Fleet:
    """Put together what was answered. Pure."""
    nodes = {name: node(answer) for name, answer in answers.items()}
    return Fleet(inventory=path, nodes=nodes)


def node(answer: Answer) -> Node:
    """Make a node of what its host printed; what cannot be read is told in `problem`. Pure."""
    if answer.code is None:
        return Node(problem=answer.problem)
    parts = _parts(answer.out)
    lock = _decoded(parts.get("lock", ""), LockHolder)
    now = float(parts.get("now") or 0)
    found = Node(
        releases=_decoded(parts.get("releases", ""), tuple[Release, ...]) or (),
        drift=_decoded(parts.get("drift", ""), LastDrift),
        lock=lock if lock is not None and lock.expires > now else None,
        maintenance=parts.get("maintenance", ""),
    )
    told = parts.get("agent", "")
    snapshot = _decoded(told, Snapshot)
    if snapshot is None:
        return msgspec.structs.replace(found, problem=_why(told))
    return msgspec.structs.replace(
        found, agent=snapshot, late=max(0.0, now - snapshot.at) if now else 0.0
    )


def _parts(out: str) -> dict[str, str]:
    blocks = ("\n" + out).split(f"\n{_PART}")[1:]
    return {name: text.strip() for name, _, text in (one.partition("\n") for one in blocks)}


def _decoded(text: str, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(text, type=kind)
    except GARBLED:
        return None


def _why(told: str) -> str:
    last = [line for line in told.splitlines() if line.strip()][-1:] or ["it says nothing"]
    if last[0].startswith("stokerctl: "):
        return last[0].removeprefix("stokerctl: ")[:200]
    return "nothing was deployed here yet" if "stokerctl" in last[0] else last[0][:200]


def code(made: Fleet) -> int:
    """Return the exit code. Pure."""
    if any(one.problem for one in made.nodes.values()):
        return 3
    return int(not all(e.serving for one in made.nodes.values() for e in one.engines.values()))


COMMAND = Command(
    name="status",
    help="the whole fleet on one screen: phases, load, GPUs, drift, releases",
    arguments=arguments,
    run=run,
)
