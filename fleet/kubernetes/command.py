"""`stoker export kubernetes`: the models of an inventory as Kubernetes objects. Connects to nobody.

Exit codes: 0 done · 1 something cannot be exported · 2 wrong use.
"""

import argparse
import math
import sys
from pathlib import Path

from agent.errors import SpecError, StokerError
from agent.spec import HostSpec
from agent.weights.lock import find
from fleet.command import Command, WrongUseError
from fleet.commands import selection
from fleet.kubernetes import models, text
from fleet.kubernetes.models import Exported
from fleet.models import locked

INVENTORY = "inventory/prod.py"
USUAL = 200  # GiB for weights whose size nobody knows
GIB = 1 << 30


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    kinds = parser.add_subparsers(dest="export", required=True, metavar="KIND")
    kubernetes = kinds.add_parser("kubernetes", help="a file of objects for each model")
    kubernetes.add_argument(
        "inventory", nargs="?", default=INVENTORY, help="inventory file (default: %(default)s)"
    )
    kubernetes.add_argument(
        "--limit", nargs="+", default=[], metavar="HOST", help="only these hosts or groups"
    )
    kubernetes.add_argument("--out", metavar="DIR", help="directory for the files; else stdout")
    kubernetes.add_argument(
        "--weights-claim", metavar="CLAIM", help="a volume that holds the weights already"
    )
    kubernetes.add_argument(
        "--weights-gib", type=int, metavar="N", help="size of the volume that is asked for"
    )


def run(options: argparse.Namespace) -> int:
    """Render, and write or print."""
    inventory, names = selection.load(options.inventory, options.limit)
    specs, faults = dict[str, HostSpec](), list[str]()
    for host in inventory:
        if host.name in names:
            try:
                specs[host.name] = HostSpec.from_data(host.name, host.data.dict())
            except SpecError as error:
                faults += str(error).splitlines()
    if faults:
        raise WrongUseError("\n".join(faults))
    files = rendered(specs, options.weights_claim, options.weights_gib)
    if options.out is None:
        # The adapter's values are no object: `kubectl apply -f -` may take what is printed.
        shown = [content for name, content in files.items() if name != text.VALUES]
        print("---\n".join(shown), end="")
        return 0
    write(Path(options.out), files)
    return 0


def rendered(
    specs: dict[str, HostSpec], claim: str | None = None, gib: int | None = None
) -> dict[str, str]:
    """Return the files by name; raise `StokerError` with everything that cannot be exported."""
    found, faults = models.of(specs)
    faults += [
        f"{one.served}: model_source_dir is set, so no Hub is asked: name with --weights-claim a "
        "volume that holds the weights"
        for one in found
        if one.model.source_dir is not None and claim is None
    ]
    if faults:
        raise StokerError("\n".join(faults))
    files = {f"{one.name}.yaml": text.of_model(one, claim, gib or _gib(one)) for one in found}
    adapter = text.of_adapter({one.engine.kind for one in found})
    return {**files, text.VALUES: adapter}


def write(directory: Path, files: dict[str, str]) -> None:
    """Write the files and name them; each is whole or not there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            new = directory / f".{name}.new"
            new.write_text(content)
            new.replace(directory / name)
            print(directory / name)
    except OSError as error:
        raise StokerError(f"{directory}: cannot be written to: {error.strerror}") from error


def _gib(model: Exported) -> int:
    """Return the size of the volume: what the lock knows and a tenth, or the usual."""
    try:
        entries = locked.read(model.model.lock_file)
    except SpecError as error:
        raise StokerError(f"{model.model.lock_file}: {error}") from error
    found = [find(entries or (), *pair) for pair in model.engine.repositories]
    if any(one is None for one in found):
        print(
            f"{model.served}: models.lock does not have its size; the volume gets {USUAL} GiB "
            "(--weights-gib)",
            file=sys.stderr,
        )
        return USUAL
    return math.ceil(1.1 * sum(one.size for one in found if one) / GIB)


COMMAND = Command(
    name="export",
    help="the models as Kubernetes objects, for those who leave",
    arguments=arguments,
    run=run,
)
