"""`python -m fleet.drift`: check once, on a node, from the tree of its current release.

Exit codes: 0 converged, also by correction · 2 drift is left · 1 it cannot be told.
"""

# First, as pyinfra's own command line does it: gevent must patch before anything opens a socket.
from fleet.drift import light  # isort: skip
import pyinfra_cli  # isort: skip

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence

import msgspec
from pyinfra.api.exceptions import PyinfraError

from agent import releases, spec
from agent.drift.report import Report
from agent.errors import GARBLED, StokerError
from agent.paths import Paths
from fleet import braking
from fleet.drift import text
from fleet.drift.alone import BusyError, alone
from fleet.drift.once import checked, write
from fleet.drift.standstill import Engines
from fleet.release import given

__all__ = ["light", "pyinfra_cli"]


def main(arguments: Sequence[str] | None = None, paths: Paths = Paths()) -> int:  # noqa: B008
    """Check, write the report, print it; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.getLogger("pyinfra").setLevel(logging.CRITICAL)
    braking.check_for_drift()
    begun = time.monotonic()
    release = given.release()
    if release is None:
        print("stoker-drift: this is no node: STOKER_RELEASE is not set", file=sys.stderr)
        return 1
    report = Report(at=round(time.time(), 1), release=release.name)
    try:
        host = spec.load((release / "host.json").read_bytes())
        with alone():
            if releases.current(release.parent) != release.name:
                raise BusyError(f"{release.name} is not the current release any more")
            report = checked(
                host, report, paths, Engines(host, paths), report_only=options.report_only
            )
    except BusyError as error:  # the last report stays: it is not known better
        print(f"stoker-drift: {error}", file=sys.stderr)
        return 1
    except (OSError, *GARBLED, PyinfraError, StokerError) as error:
        report = msgspec.structs.replace(report, problem=str(error))
    seconds = round(time.monotonic() - begun, 2)
    report = msgspec.structs.replace(report, seconds=seconds, cpu=round(_cpu(), 2))
    write(paths, paths.drift.name, msgspec.json.encode(report))
    shown = msgspec.json.encode(report).decode() if options.json else text.render(report)
    print(shown)
    return report.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stoker-drift", description="Check this node once.")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--report-only", action="store_true", help="put nothing right")
    return parser


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    sys.exit(main())
