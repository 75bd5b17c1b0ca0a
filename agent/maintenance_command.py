"""`stokerctl maintenance on|off|show`: keep this node as it is, and let it go again."""

import argparse
import re
import time
from pathlib import Path

from agent import maintenance
from agent.errors import StokerError
from agent.maintenance import Maintenance
from agent.paths import Paths

UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0}


def arguments(parser: argparse.ArgumentParser, person: str) -> None:
    """Declare the arguments; `person` is who asks unless told."""
    path = Paths().maintenance
    parser.add_argument("--path", type=Path, default=path, help=argparse.SUPPRESS)
    verbs = parser.add_subparsers(dest="verb", required=True)
    on = verbs.add_parser("on", help="put nothing right here from now on")
    on.add_argument("--reason", required=True, help="why, for others who look")
    on.add_argument("--by", default=person, help="who asks (default: %(default)s)")
    on.add_argument("--for", dest="seconds", type=seconds, metavar="2h", help="e.g. 30m, 2h, 3d")
    verbs.add_parser("off", help="put drift right again")
    verbs.add_parser("show", help="say whether it is on")


def seconds(text: str) -> float:
    """Return the seconds of "30m", "2h" or "3d"."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([mhd])", text)
    if found is None or not float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 30m, 2h or 3d")
    return float(found[1]) * UNITS[found[2]]


def main(options: argparse.Namespace, now: float | None = None) -> int:
    """Do it; raise `StokerError` when it cannot be done."""
    at = time.time() if now is None else now
    match options.verb:
        case "on":
            if not options.reason.strip():
                raise StokerError("--reason is empty: others will want to know why")
            until = at + options.seconds if options.seconds else None
            wanted = Maintenance(by=options.by, reason=options.reason, since=at, until=until)
            maintenance.write(options.path, wanted)
            print(f"maintenance is on: {wanted.sentence()}")
        case "off":
            was = maintenance.end(options.path)
            print("maintenance is off" if was else "maintenance was not on")
        case _:
            found = maintenance.read(options.path, at)
            print(f"maintenance is on: {found.sentence()}" if found else "maintenance is off")
    return 0
