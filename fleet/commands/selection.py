"""Which hosts a command is about: an inventory, and what `--limit` leaves of it."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pyinfra.api.inventory import Inventory

from fleet import rollout, specs, validate
from fleet.command import WrongUseError


def arguments(parser: argparse.ArgumentParser, *, limit: bool = True) -> None:
    """Declare INVENTORY, `--limit` and `--json`."""
    parser.add_argument("inventory", help="inventory file")
    if limit:
        parser.add_argument(
            "--limit",
            nargs="+",
            default=[],
            metavar="HOST",
            help='only these hosts or groups; patterns as in a shell: "gpu-*"',
        )
    parser.add_argument("--json", action="store_true", help="print it as one document")


def load(path: str, wanted: Sequence[str]) -> tuple[Inventory, list[str]]:
    """Return the inventory and the names that are wanted of it; raise `WrongUseError`."""
    try:
        inventory = validate.load(Path(path))
    except ValueError as error:
        raise WrongUseError(str(error)) from error
    known = {host.name: tuple(host.groups) for host in inventory}
    return inventory, names(known, wanted, path)


def names(known: Mapping[str, Iterable[str]], wanted: Sequence[str], path: str) -> list[str]:
    """Return the hosts that one of the patterns means, in inventory order; all without any. Pure.

    `known` maps each host to its groups. Raises `WrongUseError` for a pattern that means nobody.
    """
    called = {host: [host, *groups] for host, groups in known.items()}
    for one in wanted:
        if not any(fnmatchcase(name, one) for found in called.values() for name in found):
            raise WrongUseError(
                f"{one}: no host and no group of {path} is called so; there are: "
                f"{_some(list(called))}"
            )
    return [
        host
        for host, found in called.items()
        if not wanted or any(fnmatchcase(name, one) for name in found for one in wanted)
    ]


def models(inventory: Inventory) -> dict[str, set[str]]:
    """Map each host to the models it serves; raise `WrongUseError` with what is wrong of a spec."""
    made, faults = specs.examine(inventory)
    if faults and len(made) < len(inventory):
        raise WrongUseError("\n".join(faults))
    return {name: {one.model for one in spec.engines.values()} for name, spec in made.items()}


def at_once(inventory: Inventory, wanted: Sequence[str]) -> int:
    """Return how many of these hosts may be out at a time; 1 where settings cannot be read."""
    made, _ = specs.examine(inventory)
    sizes = [rollout.at_once(made[name].rollout, len(wanted)) for name in wanted if name in made]
    return min(sizes) if len(sizes) == len(wanted) else 1


def _some(hosts: Sequence[str], most: int = 8) -> str:
    more = f" and {len(hosts) - most} more" if len(hosts) > most else ""
    return ", ".join(hosts[:most]) + more
