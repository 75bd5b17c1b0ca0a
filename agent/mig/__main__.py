"""`python -m agent.mig [--check]`: split the GPUs of this host as its spec declares, as root.

It says what it changed. Exit code 0 = they are as declared, 2 = with --check: not, 1 = they cannot
be made so, or it cannot be told.
"""

import sys
from collections.abc import Mapping, Sequence

from agent import gpus, reports, spec
from agent.errors import GARBLED, StokerError
from agent.mig.splitter import Splitter
from agent.paths import Paths
from agent.reports import Started
from agent.reset import command

# What the deploy looks for.
AS_DECLARED = "the GPUs are split as declared"


def main(arguments: Sequence[str], splitter: Splitter, paths: Paths) -> int:
    """Look, and split unless only asked to look."""
    look = "--check" in arguments
    try:
        mig = spec.load(paths.spec.read_bytes()).driver.mig
        found = splitter.differing(mig) if look else splitter.split(mig)
    except (StokerError, OSError, *GARBLED) as error:
        print(f"MIG: {error}", flush=True)
        return 1
    for sentence in found.values():
        print(sentence, flush=True)
    if not (look and found):
        print(AS_DECLARED, flush=True)
    return 2 if look and found else 0


def holding(paths: Paths) -> Mapping[str, tuple[str, ...]]:
    """Return the GPUs of every engine that runs, as its runner reports them."""
    files = (paths.run / "engines").glob("*.json")
    found = (reports.read(path, Started) for path in files)
    return {one.engine: one.gpus for one in found if one}


if __name__ == "__main__":
    NODE = Paths()
    sys.exit(main(sys.argv[1:], Splitter(command, gpus.read, lambda: holding(NODE)), NODE))
