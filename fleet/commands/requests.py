"""`stoker drain`, `undrain`, `restart`: asking the agents of some hosts, and waiting for it.

Exit codes: 0 done · 1 a host refused · 2 wrong use · 3 a wait ended without success, or a host
could not be reached.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from shlex import quote

import msgspec

from agent.model import Verb
from fleet import holder, rollout
from fleet.command import Command, WrongUseError
from fleet.commands import selection, ssh
from fleet.commands.hosts import Answer, Ask, Connect, Hosts
from fleet.commands.outcome import HostOutcome, Outcome, batch, foot, host_outcome, told
from fleet.commands.shown import awaiting, listed, say

GRACE = 30.0  # seconds that the answer may take beyond the wait itself
RESTART_WAIT = 1800.0  # seconds: a large model is loaded in minutes
Say = Callable[[str], None]


def arguments(verb: Verb, parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    selection.arguments(parser, limit=False)
    parser.add_argument("hosts", nargs="+", metavar="HOST", help="hosts or groups, or patterns")
    parser.add_argument("--engine", metavar="NAME", help="only this engine; all when left out")
    parser.add_argument("--reason", required=True, help="why, for the audit log of each host")
    restart = verb is Verb.RESTART
    parser.add_argument(
        "--wait",
        type=float,
        default=RESTART_WAIT if restart else 0.0,
        metavar="SECONDS",
        help="wait for the outcome at most so long"
        + (" for each host (%(default).0f)" if restart else ""),
    )
    if verb is Verb.DRAIN:
        parser.add_argument(
            "--all", action="store_true", help="even if no host is left that serves the model"
        )


def run(verb: Verb, options: argparse.Namespace, connect: Connect = ssh.connected) -> int:
    """Ask, print, and return the exit code."""
    inventory, names = selection.load(options.inventory, options.hosts)
    batches = [names]
    if verb is not Verb.UNDRAIN:
        serves = selection.models(inventory)
        if verb is Verb.RESTART:
            batches = turns(serves, names)
        elif not options.all:
            refuse_outage(serves, names)
    ask = Ask(command=command(verb, options), deadline=options.wait + GRACE)
    with connect(inventory, names) as hosts:
        found = one_by_one(hosts, batches, ask, say if len(batches) > 1 else _silent)
    asked = {one.host for one in found}
    made = Outcome(
        inventory=options.inventory,
        asked=verb,
        hosts=tuple(found),
        untouched=tuple(name for name in names if name not in asked),
    )
    show(made, as_json=options.json, told_before=len(batches) > 1)
    return made.code


def command(verb: Verb, options: argparse.Namespace) -> str:
    """Return what is run on a host."""
    words = ["/usr/local/bin/stokerctl", verb, *([options.engine] if options.engine else [])]
    words += ["--reason", options.reason, "--by", holder.me("").by]
    words += ["--wait", f"{options.wait:.0f}"] if options.wait else []
    return " ".join(map(quote, words))


def turns(serves: Mapping[str, set[str]], names: Sequence[str]) -> list[list[str]]:
    """Return who is restarted together: of one model, one host at a time. Pure."""
    return rollout.batches({name: serves[name] for name in names}, names)


def refuse_outage(serves: Mapping[str, set[str]], names: Sequence[str]) -> None:
    """Raise `WrongUseError` if nobody would be left of several hosts that serve a model. Pure."""
    for model in sorted({model for name in names for model in serves[name]}):
        of = [name for name, models in serves.items() if model in models]
        if len(of) > 1 and set(of) <= set(names):
            raise WrongUseError(
                f"{listed(of)} are all that serve {model}: nobody would answer; "
                "drain some of them, or give --all"
            )


def one_by_one(
    hosts: Hosts, batches: Sequence[Sequence[str]], ask: Ask, tell: Say
) -> list[HostOutcome]:
    """Ask batch after batch; stop after one in which a host did not do it."""
    found: list[HostOutcome] = []
    for number, names in enumerate(batches, 1):
        tell(batch(names, number, len(batches)))
        with awaiting(names) as heard:
            answers = hosts.ask(dict.fromkeys(names, ask), heard)
        now = [_outcome(answers[name]) for name in names]
        for one in now:
            for line in told(one):
                tell(line)
        found += now
        if any(one.code != 0 for one in now):
            break
    return found


def _outcome(answer: Answer) -> HostOutcome:
    if answer.code == 127:  # sh(1): there is no such command
        said = "nothing was deployed here yet"
        return HostOutcome(host=answer.host, code=1, said=(said,))
    return host_outcome(answer)


def _silent(line: str) -> None:
    """Say nothing: with a single batch the end says it all."""


def show(made: Outcome, *, as_json: bool, told_before: bool = False) -> None:
    """Print what became of it; each host only if that was not told in the course of it."""
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(made)).decode())
        return
    lines = [] if told_before else [line for one in made.hosts for line in told(one)]
    print("\n".join([*lines, *foot(made)]), file=sys.stdout)


def _command(verb: Verb, text: str) -> Command:
    return Command(name=verb, help=text, arguments=partial(arguments, verb), run=partial(run, verb))


COMMANDS = (
    _command(Verb.DRAIN, "hosts refuse new requests and let those in flight finish"),
    _command(Verb.UNDRAIN, "hosts serve again; also releases a quarantine"),
    _command(Verb.RESTART, "drain, restart and serve again; hosts of one model after each other"),
)
