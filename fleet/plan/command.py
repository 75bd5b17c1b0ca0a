"""`stoker plan`: what a deploy would do, and whether it can. No host is changed.

Exit codes: 0 nothing to do · 2 something would change, or may · 1 a deploy would be refused.
"""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory

from agent.engines import ENGINES
from agent.errors import SpecError
from agent.spec import HostSpec
from agent.weights.lock import Locked
from fleet import control_files, fitness, specs, validate
from fleet.command import Command
from fleet.driver import branches
from fleet.models import locked
from fleet.plan import document, dry, hosts, known, text
from fleet.plan.document import CODES, HostPlan, Plan
from fleet.plan.seen import NOT_ASKED, Given, Seen
from fleet.plan.stages import DISRUPTIONS

NARROWEST = 60
MODELS = "models"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("inventory", help="inventory file")
    parser.add_argument(
        "--limit", nargs="+", default=[], metavar="HOST", help="only these hosts or groups"
    )
    parser.add_argument(
        "--offline", action="store_true", help="connect to nothing: neither to hosts nor to a Hub"
    )
    parser.add_argument(
        "--models",
        metavar="DIR",
        help="where ORGANISATION/NAME/config.json of models lie, with or without weights "
        f"(default: {MODELS}/ beside the inventory)",
    )
    parser.add_argument("--json", action="store_true", help="print it as one document")
    parser.add_argument(
        "--width", type=int, default=100, help="columns of the text (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Plan, print, and return the exit code."""
    path = Path(options.inventory)
    directory = Path(options.models) if options.models else path.parent / MODELS
    made = make(path, options.limit, directory, offline=options.offline)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(made)).decode())
    else:
        print(text.render(made, max(NARROWEST, options.width)))
    return CODES[made.verdict]


def make(path: Path, limit: Sequence[str], directory: Path, *, offline: bool) -> Plan:
    """Make the plan; raise `SpecError` for an inventory that cannot be loaded."""
    try:
        inventory = validate.load(path)
    except ValueError as error:
        raise SpecError(str(error)) from error
    names = [host.name for host in inventory if selected(host, limit)]
    if not names:
        raise SpecError(f"--limit {' '.join(limit)}: no host and no group of {path} is called so")
    made, faults = _examine(inventory) if offline else specs.examine(inventory)
    seen: dict[str, Seen] = {}
    if not offline and not faults:
        seen = dry.look(inventory, names)
    wanted = [made[name] for name in names if name in made]
    given = Given(
        known=known.gather(wanted, directory, _say, time.sleep, offline=offline),
        declared=DISRUPTIONS,
        serves=_serves(made.values(), seen),
        today=datetime.now(UTC).date(),
    )
    planned = tuple(
        _warned(hosts.host(spec, seen.get(spec.name, NOT_ASKED), _lock(spec), given), spec)
        for spec in wanted
    )
    return document.plan(str(path), planned, tuple(faults), offline=offline)


def _warned(planned: HostPlan, spec: HostSpec) -> HostPlan:
    """Add what only this machine's files tell."""
    said = (*planned.warnings, *control_files.warnings(spec))
    return msgspec.structs.replace(planned, warnings=said)


def _examine(inventory: Inventory) -> tuple[dict[str, HostSpec], list[str]]:
    """Do as `specs.examine`, but leave the other files of this machine alone."""
    made, faults = dict[str, HostSpec](), list[str]()
    for host in inventory:
        try:
            spec = HostSpec.from_data(host.name, host.data.dict())
        except SpecError as error:
            faults += str(error).splitlines()
            continue
        made[host.name] = spec
        for name, engine in spec.engines.items():
            sentences = ENGINES[engine.kind].faults(engine)
            faults += [f"{host.name}: engine {name}: {sentence}" for sentence in sentences]
        faults += [f"{host.name}: {sentence}" for sentence in branches.faults(spec.driver)]
        if wrong := fitness.undeclared(spec):
            faults.append(f"{host.name}: {wrong}")
    return made, faults


def selected(host: Host, limit: Sequence[str]) -> bool:
    """Say whether --limit names the host or one of its groups."""
    names = [host.name, *host.groups]
    return not limit or any(fnmatchcase(name, one) for name in names for one in limit)


def _serves(made: Iterable[HostSpec], seen: dict[str, Seen]) -> dict[str, tuple[str, ...]]:
    """Map each model to the hosts that serve it, without those that cannot be reached."""
    found: dict[str, list[str]] = {}
    for spec in made:
        if spec.name in seen and seen[spec.name].contact == "unreachable":
            continue
        for model in {engine.model for engine in spec.engines.values()}:
            found.setdefault(model, []).append(spec.name)
    return {model: tuple(names) for model, names in found.items()}


def _lock(spec: HostSpec) -> tuple[Locked, ...]:
    try:
        return locked.read(spec.model.lock_file) or ()
    except SpecError:  # told by the problems of the host
        return ()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


COMMAND = Command(
    name="plan",
    help="what a deploy would do, and whether it can; changes nothing",
    arguments=arguments,
    run=run,
)
