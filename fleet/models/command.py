"""`stoker models`: lock what may be served, and check that it may be had.

Exit codes: 0 done, or all may be had · 1 something may not · 2 wrong use.
"""

import argparse
import sys
import time
from pathlib import Path

from agent.errors import SpecError
from agent.spec import HostSpec
from fleet import validate
from fleet.command import Command, WrongUseError
from fleet.models import check, lock, wanted

INVENTORY = "inventory/prod.py"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    commands = parser.add_subparsers(dest="models", required=True, metavar="COMMAND")
    locks = commands.add_parser("lock", help="write models.lock: the exact files of every model")
    checks = commands.add_parser("check", help="ask the Hub whether every model may be downloaded")
    checks.add_argument("--json", action="store_true", help="print it as one document")
    for command in (locks, checks):
        command.add_argument(
            "inventory", nargs="?", default=INVENTORY, help="inventory file (default: %(default)s)"
        )
        command.add_argument("--hub", help="ask this Hub instead of the inventory's model_hub")


def run(options: argparse.Namespace) -> int:
    """Run one of the two."""
    specs = read(Path(options.inventory))
    models = wanted.by_hosts(specs, options.hub)
    if options.models == "lock":
        return lock.run(models, _say, time.sleep)
    return check.run(models, _say, time.sleep, as_json=options.json)


def read(path: Path) -> list[HostSpec]:
    """Return the specs of all hosts of an inventory; raise with every fault of any.

    Files on this machine are not looked at, for they do not matter here.
    """
    try:
        hosts = validate.load(path)
    except ValueError as error:
        raise WrongUseError(str(error)) from error
    specs, faults = list[HostSpec](), list[str]()
    for host in hosts:
        try:
            specs.append(HostSpec.from_data(host.name, host.data.dict()))
        except SpecError as error:
            faults += str(error).splitlines()
    if faults:
        raise SpecError("\n".join(faults))
    return specs


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


COMMAND = Command(
    name="models",
    help="what the hosts serve: lock it, check access",
    arguments=arguments,
    run=run,
)
