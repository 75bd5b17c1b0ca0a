"""`python -m agent.drift`: compare once. Exit code 0: converged, 2: drift, 1: cannot tell.

The result goes to `/var/lib/stoker/drift.json` too. It reads only; a deploy corrects.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence

import msgspec

from agent.drift.compare import Drifted, compare
from agent.drift.manifest import Manifest
from agent.drift.node import RealNode
from agent.errors import SourceError
from agent.paths import Paths


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one comparison; `at` is seconds since 1970 (UTC)."""

    at: float
    drifted: tuple[Drifted, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare once, write the report, and print it."""
    parser = argparse.ArgumentParser(
        prog="agent.drift", description="Compare with the last deploy."
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--splay", type=int, default=0, help="wait up to so many seconds first")
    options = parser.parse_args(arguments)
    time.sleep(random.uniform(0, options.splay))  # noqa: S311 - spreads load, hides nothing
    state = Paths().state
    try:
        manifest = msgspec.json.decode((state / "manifest.json").read_bytes(), type=Manifest)
        drifted = tuple(compare(manifest, RealNode()))
    except (OSError, msgspec.DecodeError, SourceError) as error:
        print(f"cannot tell whether the node drifted: {error}", file=sys.stderr)
        return 1
    report = msgspec.json.encode(Report(at=time.time(), drifted=drifted))
    new = state / "drift.json.new"
    new.write_bytes(report + b"\n")
    new.replace(state / "drift.json")
    if options.json:
        print(report.decode())
    else:
        print("\n".join(map(str, drifted)) or "converged: the node is as the last deploy left it")
    return 2 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())
