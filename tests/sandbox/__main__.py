"""Command line of the sandbox."""

import argparse
import json
import sys
from dataclasses import asdict

from tests.sandbox.fleet import Fleet
from tests.sandbox.layout import FLEETS
from tests.sandbox.shell import SandboxError


def main(argv: list[str]) -> int:
    """Run one command; give the exit code."""
    options = _parser().parse_args(argv)
    fleet = Fleet(options.fleet)
    try:
        _run(options, fleet)
    except (SandboxError, LookupError) as problem:
        print(f"sandbox: {problem.args[0]}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace, fleet: Fleet) -> None:
    match options.command:
        case "up":
            fleet.up(*options.host)
        case "down":
            fleet.down(purge=options.purge)
        case "reset-host":
            for name in options.host:
                fleet.reset_host(name)
        case "reboot-host":
            for name in options.host:
                fleet.reboot_host(name)
        case "status":
            _show(fleet, as_json=options.json)


def _show(fleet: Fleet, *, as_json: bool) -> None:
    states = fleet.status()
    if as_json:
        print(json.dumps([asdict(state) for state in states], indent=2))
        return
    for state in states:
        print(f"{state.name:10} {state.address:15} {state.state}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--fleet", choices=sorted(FLEETS), default="demo")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", parents=[common], help="bring depot and hosts up")
    up.add_argument("--host", nargs="+", default=[], help="only these hosts")
    down = commands.add_parser("down", parents=[common], help="remove the fleet")
    down.add_argument("--purge", action="store_true", help="and its directory with all keys")
    status = commands.add_parser("status", parents=[common], help="one line a host")
    status.add_argument("--json", action="store_true")
    for name, text in (("reset-host", "make hosts bare again"), ("reboot-host", "reboot hosts")):
        command = commands.add_parser(name, parents=[common], help=text)
        command.add_argument("--host", nargs="+", required=True)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
