"""`stoker deploy`: the plan, a question, then the very same `pyinfra INVENTORY deploy.py -y`.

Exit codes: 0 every host is as it should be · 1 refused, or a host failed, and the others were not
touched · 2 wrong use.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from fleet.command import Command, WrongUseError
from fleet.commands import deploy_text, selection
from fleet.commands.shown import say, wrapped
from fleet.plan import command as planning
from fleet.plan.document import Plan
from fleet.run import child, summary
from fleet.run.events import Ended, HostResult, Verdict


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints. `log`: what pyinfra printed; `plan`: the digest of the plan shown."""

    inventory: str
    verdict: Verdict
    plan: str = ""
    problem: str = ""
    hosts: tuple[HostResult, ...] = ()
    log: str = ""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    selection.arguments(parser)
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    parser.add_argument(
        "--no-plan", action="store_true", help="begin at once; what is refused is refused anyway"
    )
    parser.add_argument(
        "--data", action="append", default=[], metavar="KEY=VALUE", help="as pyinfra's --data"
    )


def run(options: argparse.Namespace) -> int:
    """Plan, ask, deploy, tell; return the exit code."""
    if not options.yes and not sys.stdin.isatty():
        raise WrongUseError("there is no terminal to ask on: give --yes")
    if options.data and not options.no_plan:
        raise WrongUseError("the plan does not know --data: give --no-plan too")
    _, names = selection.load(options.inventory, options.limit)
    limit = names if options.limit else []
    digest = ""
    if not options.no_plan:
        made = _plan(options.inventory, limit)
        say("\n".join(deploy_text.plan(made)))
        digest = deploy_text.digest(made)
        if made.verdict != "changes":
            return _no_run(options, made, digest)
    if not options.yes and not _agreed():
        say("nothing was changed")
        return 1
    given = child.Given(
        inventory=options.inventory,
        hosts=tuple(names),
        limit=tuple(limit),
        data=tuple(options.data),
        plan=digest,
    )
    done = child.run(given)
    _tell(options, done, digest)
    return 0 if done.code == 0 else 1


def _plan(inventory: str, limit: Sequence[str]) -> Plan:
    path = Path(inventory)
    return planning.make(path, limit, path.parent / planning.MODELS, offline=False)


def _no_run(options: argparse.Namespace, made: Plan, digest: str) -> int:
    verdict: Verdict = "done" if made.verdict == "nothing" else "not begun"
    if options.json:
        _print(Document(inventory=options.inventory, verdict=verdict, plan=digest))
    return int(made.verdict == "refused")


def _agreed() -> bool:
    print("deploy this? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _tell(options: argparse.Namespace, done: child.Done, digest: str) -> None:
    end = done.end or Ended(at=0, hosts=(), problem="")
    if options.json:
        verdict = summary.verdict(end) if end.hosts else "done" if done.code == 0 else "not begun"
        document = Document(
            inventory=options.inventory,
            verdict=verdict,
            plan=digest,
            problem=end.problem or ("\n".join(done.tail) if done.code and not end.hosts else ""),
            hosts=end.hosts,
            log=str(done.log),
        )
        _print(document)
        return
    if end.hosts:
        print("\n".join(summary.lines(end)))
    elif done.code:
        print("\n".join(part for line in done.tail for part in wrapped(line, "", "    ") or [""]))
    print(f"{'done' if done.code == 0 else 'FAILED'} in {done.seconds:.0f} s; log: {done.log}")


def _print(document: Document) -> None:
    print(msgspec.json.format(msgspec.json.encode(document)).decode())


COMMAND = Command(
    name="deploy",
    help="show the plan, ask, deploy batch by batch, and tell how it went",
    arguments=arguments,
    run=run,
)
