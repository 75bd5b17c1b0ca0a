"""What apt would do to the driver's packages, asked of apt itself; nothing is changed."""

import re
from collections.abc import Sequence

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override

from agent.model import Value
from fleet.facts.driver import NAMES

# The pin of now is put aside: the wanted one takes its place, in a file that goes with the command.
_SIMULATE = (
    "LC_ALL=C apt-get -s -q -o Dir::Etc::PreferencesParts=/dev/null "
    '-o Dir::Etc::Preferences="$pin" --no-install-recommends --allow-change-held-packages '
    "--allow-downgrades install"
)
_INSTALLED = re.compile(r"Inst (\S+) (?:\[(\S+)\] )?\((\S+) ")
_REMOVED = re.compile(r"(?:Remv|Purg) (\S+) \[(\S+)\]")


class PackageMove(Value, frozen=True, kw_only=True):
    """A package that goes from one version to another; None = it is not there."""

    package: str
    before: str | None
    after: str | None


class Simulation(Value, frozen=True, kw_only=True):
    """What would move; `problem` = why apt would not do it, in its own words."""

    moves: tuple[PackageMove, ...] = ()
    problem: str = ""


class AptSimulation(FactBase[Simulation]):
    """Asks for `names`, with the driver pinned to versions that begin with `prefix`.

    By the lists of the host's last update: a deploy reads them anew.
    """

    @override
    @staticmethod
    def default() -> Simulation:
        return Simulation()

    @override
    def command(self, names: Sequence[str], prefix: str) -> StringCommand:
        pin = f"Package: {' '.join(NAMES)}\nPin: version {prefix}*\nPin-Priority: 1000\n"
        return StringCommand(
            "pin=$(mktemp) && trap 'rm -f \"$pin\"' EXIT && printf %s", QuoteString(pin),
            '>"$pin" &&', _SIMULATE, *map(QuoteString, names), "2>&1 || true",
        )  # fmt: skip

    @override
    def process(self, output: list[str]) -> Simulation:
        moves = []
        for line in output:
            if found := _INSTALLED.match(line):
                name, before, after = found[1], found[2], found[3]
                moves.append(PackageMove(package=name, before=before, after=after))
            elif found := _REMOVED.match(line):
                moves.append(PackageMove(package=found[1], before=found[2], after=None))
        wrong = [line.removeprefix("E: ") for line in output if line.startswith("E: ")]
        return Simulation(moves=tuple(moves), problem=" ".join(wrong))
