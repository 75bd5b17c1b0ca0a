"""`stoker audit`: who did what, and what the agents decided, on all hosts, in the order of time.

Exit codes: 0 done · 2 wrong use · 3 a host could not be asked.
"""

import argparse
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from agent.errors import GARBLED
from fleet.command import Command, WrongUseError
from fleet.commands import selection, ssh
from fleet.commands.hosts import Answer, Ask, Connect, everywhere, unanswered
from fleet.commands.shown import awaiting, say, wrapped

UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
MOST = 5000  # lines of each file of a host
FILES = ("audit", "deploys")
# In the order of a sentence: what it was about, what was done, by whom and why.
SUBJECT = ("engine", "subject", "gpu", "incident", "verb", "phase", "rung", "remedy", "outcome")
REST = ("release", "plan", "changes", "failed", "seconds")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of one host; `at` seconds since 1970, by its clock; `facts` is the whole line."""

    at: float
    host: str
    event: str
    facts: dict[str, Any]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints. `not_asked`: host → why."""

    inventory: str
    entries: tuple[Entry, ...]
    not_asked: dict[str, str]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    selection.arguments(parser)
    parser.add_argument(
        "--since", default="2h", metavar="SPAN", help="how far back: 30min, 2h, 7d (%(default)s)"
    )
    parser.add_argument(
        "--deploys", action="store_true", help="only deploys, rollbacks and locks, no agents"
    )


def run(options: argparse.Namespace, connect: Connect = ssh.connected) -> int:
    """Ask, merge, print, and return the exit code."""
    inventory, names = selection.load(options.inventory, options.limit)
    ask = Ask(command=command(span(options.since), FILES[options.deploys :]))
    with connect(inventory, names) as hosts, awaiting(names) as heard:
        answers = hosts.ask(everywhere(names, ask), heard)
    made = Document(
        inventory=options.inventory,
        entries=tuple(merged(answers)),
        not_asked=dict(unanswered(answers)),
    )
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(made)).decode())
    else:
        print("\n".join(lines(made.entries)) or f"nothing since {options.since}")
        for name, why in made.not_asked.items():
            say(f"! {name}: {why}")
    return 3 if made.not_asked else 0


def span(text: str) -> int:
    """Return seconds; raise `WrongUseError`. Pure."""
    found = re.fullmatch(r"(\d+)\s*(s|min|m|h|d)", text)
    if not found:
        raise WrongUseError(f"--since {text}: is no span of time; give 30min, 2h, or 7d")
    return int(found[1]) * UNITS[found[2]]


def command(seconds: int, files: Iterable[str]) -> str:
    """Return what prints the lines of so many seconds, by the clock of the host. Pure."""
    newer = (
        'match($0, /"at": ?[0-9.]+/) '
        '{ at = substr($0, RSTART, RLENGTH); sub(/.*:/, "", at); if (at + 0 >= since) print }'
    )
    paths = " ".join(
        f"/var/lib/stoker/{name}.jsonl.1 /var/lib/stoker/{name}.jsonl" for name in files
    )
    return (
        f"since=$(($(date +%s) - {seconds})); for file in {paths}; do "
        f'[ -r "$file" ] && awk -v since="$since" \'{newer}\' "$file" | tail -n {MOST}; done; true'
    )


def merged(answers: Mapping[str, Answer]) -> list[Entry]:
    """Return the lines of all hosts in the order of time. Pure."""
    found = [entry for name, one in answers.items() for entry in _entries(name, one.out)]
    return sorted(found, key=lambda one: one.at)


def _entries(host: str, text: str) -> Iterator[Entry]:
    for line in text.splitlines():
        try:
            facts = msgspec.json.decode(line, type=dict[str, Any])
            yield Entry(at=float(facts["at"]), host=host, event=str(facts["event"]), facts=facts)
        except (KeyError, TypeError, *GARBLED):
            continue  # a line that a crash has cut short


def lines(entries: Iterable[Entry]) -> Iterator[str]:
    """Return the text, each day once. Pure."""
    day = ""
    for one in entries:
        stamp = time.gmtime(one.at)
        today = time.strftime("%Y-%m-%d UTC", stamp)
        if today != day:
            day = today
            yield today
        yield from wrapped(
            sentence(one), f"{time.strftime('%H:%M:%S', stamp)}  {one.host}  ", "          "
        )


def sentence(one: Entry) -> str:
    """Say what happened. Pure."""
    facts = {key: str(value) for key, value in one.facts.items() if value not in {"", None}}
    about = " ".join(facts[key] for key in SUBJECT if key in facts)
    by = f"by {facts['by']}" if "by" in facts else ""
    said = ": ".join(facts[key] for key in ("reason", "message") if key in facts)
    rest = ", ".join(f"{key} {facts[key]}" for key in REST if key in facts)
    head = " ".join(part for part in (one.event, about, by) if part)
    return head + (f": {said}" if said else "") + (f" ({rest})" if rest else "")


COMMAND = Command(
    name="audit",
    help="who did what on the hosts, and what the agents decided, in the order of time",
    arguments=arguments,
    run=run,
)
