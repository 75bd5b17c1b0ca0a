"""`stoker`: what an operator asks of a fleet, from the control machine. `python -m fleet.cli`.

To add a command: a module with a `COMMAND`, and its line in `COMMANDS`.
"""

# First, as pyinfra's own command line does it: gevent must patch before anything opens a socket.
import pyinfra_cli  # isort: skip

import argparse
import sys
from collections.abc import Sequence

from agent.errors import StokerError
from fleet import keys_command
from fleet.command import Command, WrongUseError
from fleet.commands import (
    audit,
    brake,
    dashboard,
    deploy,
    drift,
    lock,
    logs,
    requests,
    rollback,
    status,
)
from fleet.doctor import command as doctor
from fleet.kubernetes import command as kubernetes
from fleet.models import command as models
from fleet.plan import command as plan
from fleet.scaling import command as scaling

__all__ = ["pyinfra_cli"]

COMMANDS: tuple[Command, ...] = (
    plan.COMMAND,
    deploy.COMMAND,
    status.COMMAND,
    dashboard.COMMAND,
    *requests.COMMANDS,
    rollback.COMMAND,
    drift.COMMAND,
    logs.COMMAND,
    audit.COMMAND,
    lock.COMMAND,
    brake.COMMAND,
    doctor.COMMAND,
    models.COMMAND,
    scaling.COMMAND,
    kubernetes.COMMAND,
    keys_command.COMMAND,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: by custom 0 done, 1 refused, 2 wrong use."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except WrongUseError as error:
        print(f"stoker: {error}", file=sys.stderr)
        return 2
    except StokerError as error:
        print(f"stoker: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def parser() -> argparse.ArgumentParser:
    """Return what understands the command line."""
    whole = argparse.ArgumentParser(prog="stoker", description="Tend a fleet of GPU hosts.")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        own = commands.add_parser(command.name, help=command.help, description=command.help)
        command.arguments(own)
        own.set_defaults(run=command.run)
    return whole


if __name__ == "__main__":
    sys.exit(main())
