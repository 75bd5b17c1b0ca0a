"""`stoker rollback`: hosts converge to a release that they have, batch by batch, under the lock.

Nothing comes from this machine, a Hub or a registry: each host has all of it.
Exit codes: 0 done · 1 refused, also by a hook, or a host failed, and the others are untouched ·
2 wrong use · 3 a host could not be reached; the others are rolled back.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from shlex import quote

import msgspec
from pyinfra.api.inventory import Inventory

from agent import releasing
from agent.errors import GARBLED, ActionError, StokerError
from agent.releases import Release
from fleet import braking, holder, rollout
from fleet.command import Command
from fleet.commands import requests, selection, ssh
from fleet.commands.hosts import Answer, Ask, Connect, Hosts, everywhere, unanswered
from fleet.commands.outcome import HostOutcome, Outcome, batch, host_outcome, told
from fleet.commands.shown import awaiting, say
from fleet.commands.status_text import short
from fleet.run import hooks

PROGRAM = "/usr/local/bin/stoker-release"
WAIT = 3600.0  # seconds for one host
LINES = 15  # of a host that failed
Load = Callable[[str, Sequence[str]], tuple[Inventory, list[str]]]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    selection.arguments(parser, limit=False)
    parser.add_argument("hosts", nargs="*", metavar="HOST", help="hosts or groups; all without any")
    parser.add_argument(
        "--to",
        metavar="RELEASE",
        help="its id, or how it begins: hosts of one deploy have the time in common "
        "(default: the one before the current)",
    )
    parser.add_argument("--reason", required=True, help="why, for the log of each host")
    parser.add_argument(
        "--wait", type=float, default=WAIT, metavar="SECONDS", help="for each host (%(default).0f)"
    )


def run(
    options: argparse.Namespace, connect: Connect = ssh.connected, load: Load = selection.load
) -> int:
    """Roll back, print, and return the exit code."""
    inventory, names = load(options.inventory, options.hosts)
    with connect(inventory, names) as hosts:
        found, away = known(hosts, names)
        for name, why in away.items():
            say(f"! {name}: {why}")
        wanted = targets(found, options.to)
        together = selection.at_once(inventory, names)
        rolled = roll(hosts, found, wanted, options, together) if wanted else []
    asked = {one.host for one in rolled} | away.keys()
    made = Outcome(
        inventory=options.inventory,
        asked="rollback",
        hosts=(*rolled, *(HostOutcome(host=n, code=None, said=(w,)) for n, w in away.items())),
        untouched=tuple(name for name in names if name not in asked),
    )
    requests.show(made, as_json=options.json, told_before=True)
    stopped = made.untouched or any(one.code not in {0, None} for one in rolled)
    return 1 if stopped else made.code


def known(
    hosts: Hosts, names: Sequence[str]
) -> tuple[dict[str, tuple[Release, ...]], dict[str, str]]:
    """Return the releases of each host, and the hosts that do not tell, with why."""
    with awaiting(names) as heard:
        ask = Ask(command=f"{PROGRAM} list --json")
        answers = hosts.ask(everywhere(names, ask), heard)
    away = dict(unanswered(answers))
    return {name: _releases(one) for name, one in answers.items() if name not in away}, away


def _releases(answer: Answer) -> tuple[Release, ...]:
    try:
        return msgspec.json.decode(answer.out, type=tuple[Release, ...])
    except GARBLED:
        return ()


def targets(found: Mapping[str, Sequence[Release]], to: str | None) -> dict[str, Release]:
    """Return the release of each host; raise `StokerError` with what there is to choose. Pure."""
    wanted, problems = dict[str, Release](), list[str]()
    for name, releases in found.items():
        try:
            wanted[name] = _target(releases, to)
        except ActionError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise StokerError("no host was touched\n" + "\n".join(f"  {one}" for one in problems))
    return wanted


def _target(releases: Sequence[Release], to: str | None) -> Release:
    if to is None:
        return releasing.choose(releases, None)
    named = [one for one in releases if one.about.id.startswith(to) and one.complete]
    if len(named) != 1:
        said = "no release" if not named else f"{len(named)} releases"
        raise ActionError(f"{said} {to} here; there are: {choices(releases)}")
    return named[0]


def choices(releases: Sequence[Release]) -> str:
    """Return what a host can go back to, newest first. Pure."""
    complete = [one for one in reversed(releases) if one.complete]
    return ", ".join(f"{one.about.id}{' (current)' * one.current}" for one in complete) or "none"


def turns(
    found: Mapping[str, Sequence[Release]], wanted: Mapping[str, Release], size: int = 1
) -> list[list[str]]:
    """Return who goes back together: of one model, `size` hosts at a time. Pure."""
    serves = {
        name: {
            _repository(m) for one in [release, *_current(found[name])] for m in one.about.models
        }
        for name, release in wanted.items()
    }
    return rollout.batches(serves, list(wanted), size)


def _current(releases: Sequence[Release]) -> list[Release]:
    return [one for one in releases if one.current]


def _repository(model: str) -> str:
    return model.partition("@")[0]


def roll(
    hosts: Hosts,
    found: Mapping[str, Sequence[Release]],
    wanted: Mapping[str, Release],
    options: argparse.Namespace,
    size: int = 1,
) -> list[HostOutcome]:
    """Lock the hosts and converge them; stop after a batch in which one failed."""
    where = hooks.directory()
    if wrong := hooks.faults(where):
        raise StokerError("\n".join(wrong))
    token = hosts.hold(list(wanted), f"rollback: {options.reason}")
    done: list[HostOutcome] = []
    batches = turns(found, wanted, size)
    for number, names in enumerate(batches, 1):
        say(batch(names, number, len(batches)))
        facts = _facts(options, {name: wanted[name] for name in names}, number, len(batches))
        if why := hooks.run("pre-batch", facts, where, say):
            say(f"stopped before it, for a hook says no: {why}")
            break
        asks = {name: _ask(wanted[name].about.id, token, options) for name in names}
        with awaiting(names) as heard:
            answers = hosts.ask(asks, heard)
        now = [_outcome(answers[name], wanted[name]) for name in names]
        for line in (line for one in now for line in told(one)):
            say(line)
        done += now
        failed = any(one.code != 0 for one in now)
        outcome = {"STOKER_OUTCOME": "failed" if failed else "done"}
        if why := hooks.run("post-batch", facts | outcome, where, say):
            say(f"a hook failed, which changes nothing any more: {why}")
        if failed:
            break
    return done


def _facts(
    options: argparse.Namespace, wanted: Mapping[str, Release], number: int, of: int
) -> dict[str, str]:
    return {
        "STOKER_INVENTORY": options.inventory,
        "STOKER_HOSTS": " ".join(wanted),
        "STOKER_RELEASES": " ".join(f"{name}={one.about.id}" for name, one in wanted.items()),
        "STOKER_BY": holder.me("").by,
        "STOKER_REASON": options.reason,
        "STOKER_BATCH": f"{number}/{of}",
    }


def _ask(release: str, token: str, options: argparse.Namespace) -> Ask:
    words = [PROGRAM, "converge", release, "--reason", options.reason, "--by", holder.me("").by]
    brake = f"{braking.VARIABLE}={braking.OFF} " if braking.off() else ""
    converge = brake + " ".join(map(quote, words))
    return Ask(
        command=f"IFS= read -r STOKER_LOCK; export STOKER_LOCK; {converge} 2>&1",
        stdin=token,
        deadline=options.wait,
    )


def _outcome(answer: Answer, release: Release) -> HostOutcome:
    if answer.good:
        said = f"serves by release {release.about.id} ({short(release.about.id)} UTC)"
        return HostOutcome(host=answer.host, code=0, said=(said,))
    if answer.code is None:  # it was reached before: nobody knows how far it got
        return HostOutcome(host=answer.host, code=1, said=(answer.problem,))
    one = host_outcome(answer)
    return msgspec.structs.replace(one, said=("failed", *one.said[-LINES:]))


COMMAND = Command(
    name="rollback",
    help="hosts go back to a release that they have, batch by batch",
    arguments=arguments,
    run=run,
)
