"""`stoker lock status | steal`: who is at which host, and taking a lock away from one who is gone.

Exit codes: 0 done · 1 a lock could not be taken away · 2 wrong use · 3 a host could not be asked.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from shlex import quote

import msgspec

from agent import hostlock
from agent.errors import GARBLED
from fleet import holder, inventory_lock, locking
from fleet.command import Command
from fleet.commands import selection, ssh
from fleet.commands.hosts import Answer, Ask, Connect, Hosts, everywhere
from fleet.commands.shown import awaiting, wrapped
from fleet.holder import Holder

INVENTORY = "the inventory"


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """One lock. `by` empty = nobody has it; `problem` = it could not be looked at, and why.

    `since` by the clock of the host, seconds since 1970; `ended`: of a process that is no more.
    """

    by: str = ""
    reason: str = ""
    since: float = 0.0
    ended: bool = False
    sentence: str = ""
    problem: str = ""


class Locks(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints. After `steal`, `hosts` are those that had it."""

    inventory: str
    of_inventory: tuple[Locked, ...]
    hosts: dict[str, Locked]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    verbs = parser.add_subparsers(dest="lock", required=True, metavar="status|steal")
    shown = verbs.add_parser("status", help="who is at which host")
    steal = verbs.add_parser("steal", help="take the locks away from whoever has them")
    for one in (shown, steal):
        selection.arguments(one)
    steal.add_argument("--reason", required=True, help="why, for the audit log of each host")


def run(options: argparse.Namespace, connect: Connect = ssh.connected) -> int:
    """Look or steal, print, and return the exit code."""
    inventory, names = selection.load(options.inventory, options.limit)
    keys = {inventory_lock.key(host) for host in inventory}
    with connect(inventory, names) as hosts:
        if options.lock == "status":
            found = look(hosts, names)
            own = inventory_lock.holders(keys)
        else:
            found = steal(hosts, names, options.reason)
            own = (inventory_lock.holders if options.limit else inventory_lock.free)(keys)
    made = Locks(inventory=options.inventory, of_inventory=tuple(map(_locked, own)), hosts=found)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(made)).decode())
    else:
        print("\n".join(lines(made, stolen=options.lock == "steal", all_of=not options.limit)))
    return 3 if any(one.problem for one in found.values()) else 0


def look(hosts: Hosts, names: Sequence[str]) -> dict[str, Locked]:
    """Return who has the lock of each host."""
    with awaiting(names) as heard:
        answers = hosts.ask(everywhere(names, _ask("show")), heard)
    return {name: _read(answer) for name, answer in answers.items()}


def steal(hosts: Hosts, names: Sequence[str], reason: str) -> dict[str, Locked]:
    """Free the locks that somebody has; return who had them. Each host writes it down."""
    before = look(hosts, names)
    held = [name for name, one in before.items() if one.by]
    mine = holder.me(f"steal: {reason}")
    for verb in ("steal", "leave"):
        asks = {
            name: _ask(verb, mine, _line(before[name], mine, reason) if verb == "steal" else None)
            for name in held
        }
        answers = hosts.ask(asks)
        for name, answer in answers.items():
            if not answer.good:
                before[name] = Locked(problem=answer.last)
    return before


def _line(before: Locked, mine: Holder, reason: str) -> dict[str, object]:
    said = f"taken from {before.by} ({before.reason}): {reason}"
    return {"event": "lock-stolen", "by": mine.by, "reason": said}


def _ask(verb: str, mine: Holder | None = None, line: Mapping[str, object] | None = None) -> Ask:
    words = [json.dumps(msgspec.to_builtins(mine)) if mine else "{}"]
    words += [json.dumps(line)] if line else []
    command = " ".join(["python3 -", verb, hostlock.PATH, *map(quote, words)])
    return Ask(command=command, stdin=locking.SCRIPT)


def _read(answer: Answer) -> Locked:
    if not answer.good:
        return Locked(problem=answer.last)
    found = None
    for line in answer.out.splitlines():
        with suppress(TypeError, *GARBLED):
            found = holder.decode(json.loads(line))
    return _locked(found)


def _locked(found: Holder | None) -> Locked:
    if found is None:
        return Locked()
    return Locked(
        by=found.by,
        reason=found.reason,
        since=found.since,
        ended=found.ended,
        sentence=found.sentence(time.time()) + ("; that run is no more" if found.ended else ""),
    )


def lines(made: Locks, *, stolen: bool, all_of: bool) -> Iterator[str]:
    """Say it. Pure."""
    own = made.of_inventory or (Locked(),)
    for name, one in [*((INVENTORY, one) for one in own), *made.hosts.items()]:
        if one.problem:
            yield from wrapped(f"{name}: cannot be looked at: {one.problem}", "! ", "    ")
        elif not one.by:
            yield f"{name}: free"
        elif stolen and (name != INVENTORY or all_of):
            yield from wrapped(f"{name}: freed; it {one.sentence.replace('is held', 'was held')}")
        else:
            yield from wrapped(f"{name}: {one.sentence}")


COMMAND = Command(
    name="lock",
    help="who is at which host: status, steal",
    arguments=arguments,
    run=run,
)
