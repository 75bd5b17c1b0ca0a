"""`stoker logs`: the journal of an engine, the agent, the gateway or the drift check.

Exit codes: 0 done · 2 wrong use · 3 a host could not be reached.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from shlex import quote

from gevent.pool import Pool

from fleet.command import Command
from fleet.commands import selection, ssh
from fleet.commands.hosts import Ask, Connect, Hosts
from fleet.commands.shown import plain, say

AT_ONCE = 40
LINES = 50


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("inventory", help="inventory file")
    parser.add_argument("hosts", nargs="+", metavar="HOST", help="hosts or groups, or patterns")
    of = parser.add_mutually_exclusive_group()
    of.add_argument("--engine", metavar="NAME", help="one engine; all when left out")
    of.add_argument("--agent", action="store_true", help="the agent")
    of.add_argument("--gateway", action="store_true", help="nginx")
    of.add_argument("--drift", action="store_true", help="the check that cron runs")
    parser.add_argument("-n", type=int, default=LINES, metavar="LINES", help="(%(default)s)")
    parser.add_argument("--since", metavar="TIME", help='as journalctl has it: "-2h", "today"')
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what comes")


def run(options: argparse.Namespace, connect: Connect = ssh.connected) -> int:
    """Print the lines as they come, each with its host when there are several."""
    inventory, names = selection.load(options.inventory, options.hosts)
    with connect(inventory, names) as hosts:
        return follow(hosts, names, command(options), print)


def follow(hosts: Hosts, names: Sequence[str], words: str, out: Callable[[str], None]) -> int:
    """Follow all hosts at once; return the exit code."""

    def one(name: str) -> str:
        head = f"{name} | " if len(names) > 1 else ""
        answer = hosts.follow(
            name, Ask(command=words), lambda line: out(head + plain(line.expandtabs()))
        )
        return f"{name}: {answer.problem}" if answer.problem else ""

    problems = [found for found in Pool(AT_ONCE).map(one, names) if found]
    sys.stdout.flush()
    for problem in problems:
        say(f"stoker: {problem}")
    return 3 if problems else 0


def command(options: argparse.Namespace) -> str:
    """Return what is run on a host. Pure."""
    words = ["journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", str(options.n)]
    if options.agent:
        words += ["-u", "stoker-agent.service"]
    elif options.gateway:
        words += ["-u", "nginx.service"]
    elif options.drift:
        words += ["-t", "stoker-drift"]
    else:
        words += ["-u", f"stoker-engine@{options.engine or '*'}.service"]
    words += ["--since", options.since] if options.since else []
    words += ["--follow"] if options.follow else []
    return " ".join(map(quote, words)) + " 2>&1"


COMMAND = Command(
    name="logs",
    help="the journal of engines, agent or gateway",
    arguments=arguments,
    run=run,
)
