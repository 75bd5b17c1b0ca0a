"""`stoker drift`: what on the hosts is no longer as their releases say; identical drifts once.

Exit codes: 0 converged, also by correction · 2 drift is left · 3 a host could not be asked · 1 one
cannot tell.
"""

import argparse
import sys
import time
from collections.abc import Mapping

import msgspec

from agent.drift.report import Report
from agent.errors import GARBLED
from fleet.command import Command
from fleet.commands import drift_text, selection, ssh
from fleet.commands.hosts import Answer, Ask, Connect, everywhere
from fleet.commands.shown import awaiting, colours

DEADLINE = 1800.0  # seconds: a correction in the window drains and restarts engines
CHECK = "/usr/local/bin/stoker-release drift --json"
LAST = "cat /var/lib/stoker/drift.json"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints. `unreached` and `unknown`: host → why there is no report."""

    inventory: str
    reports: dict[str, Report]
    unreached: dict[str, str]
    unknown: dict[str, str]
    fights: tuple[str, ...] = ()


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    selection.arguments(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--report-only", action="store_true", help="put nothing right")
    how.add_argument("--last", action="store_true", help="look only at the last reports")


def run(options: argparse.Namespace, connect: Connect = ssh.connected) -> int:
    """Have all hosts checked, print, and return the exit code."""
    inventory, names = selection.load(options.inventory, options.limit)
    command = LAST if options.last else CHECK + " --report-only" * options.report_only
    with connect(inventory, names) as hosts, awaiting(names) as heard:
        answers = hosts.ask(everywhere(names, Ask(command=command, deadline=DEADLINE)), heard)
    made = document(options.inventory, answers)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(made)).decode())
    else:
        now = time.time() if options.last else None
        print(
            drift_text.render(
                made.reports,
                {**made.unreached, **made.unknown},
                now,
                colour=colours(sys.stdout),
            )
        )
    return code(made)


def document(path: str, answers: Mapping[str, Answer]) -> Document:
    """Put together what was answered. Pure."""
    reports, unreached, unknown = dict[str, Report](), dict[str, str](), dict[str, str]()
    for name, answer in answers.items():
        if answer.code is None:
            unreached[name] = answer.problem
        elif (report := _report(answer)) is None:
            unknown[name] = _why(answer)
        elif report.problem:
            unknown[name] = f"cannot tell: {report.problem}"
        else:
            reports[name] = report
    return Document(
        inventory=path,
        reports=reports,
        unreached=unreached,
        unknown=unknown,
        fights=tuple(drift_text.fights(reports)),
    )


def _report(answer: Answer) -> Report | None:
    for line in reversed(answer.out.splitlines()):
        try:
            return msgspec.json.decode(line, type=Report)
        except GARBLED:
            continue
    return None


def _why(answer: Answer) -> str:
    if answer.code == 127 or "No such file" in answer.err:
        return "nothing was checked here yet"
    return answer.last[:200]


def code(made: Document) -> int:
    """Return the exit code. Pure."""
    if any(one.left for one in made.reports.values()):
        return 2
    return 3 if made.unreached else int(bool(made.unknown))


COMMAND = Command(
    name="drift",
    help="what is no longer as deployed; puts right what may be put right",
    arguments=arguments,
    run=run,
)
