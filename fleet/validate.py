"""`python -m fleet.validate INVENTORY`: check every host's configuration without any connection.

Exit code 0: all can be deployed. 1: something is wrong; every fault is on its own line.
"""

import sys
from pathlib import Path

import pyinfra
from pyinfra.api.config import Config
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.context import ctx_config, ctx_state

from agent.spec import HostSpec
from fleet import control_files, specs


def load(path: Path) -> Inventory:
    """Load an inventory file with its group data, as pyinfra does; `ValueError` if it cannot."""
    # Its package lets gevent patch the whole process, so only who loads an inventory has it.
    from pyinfra_cli.exceptions import CliError, UnexpectedExternalError  # noqa: PLC0415
    from pyinfra_cli.inventory import make_inventory  # noqa: PLC0415

    if not path.is_file():
        raise ValueError(f"{path}: there is no such inventory")
    pyinfra.is_cli = True
    state = State(check_for_changes=False)
    state.cwd = str(Path.cwd())
    ctx_state.set(state)
    ctx_config.set(Config())
    try:
        inventory: Inventory = make_inventory(str(path), cwd=state.cwd)
    except UnexpectedExternalError as error:
        raise ValueError(f"{error.filename}: {error.exception}") from error
    except (CliError, PyinfraError, SyntaxError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not len(inventory):
        raise ValueError(f"{path}: holds no host")
    return inventory


def line(spec: HostSpec) -> str:
    """Say in one line what a host is going to be."""
    engines = [
        f"{name}: {engine.kind} serves {engine.name_served} on {engine.gpus} GPU(s)"
        for name, engine in spec.engines.items()
    ]
    return f"{spec.name}: ok ({', '.join([*spec.roles, *engines])})"


def main(arguments: list[str]) -> int:
    """Print one line a host, or every fault."""
    if len(arguments) != 1:
        print("usage: python -m fleet.validate INVENTORY", file=sys.stderr)
        return 1
    try:
        made, faults = specs.examine(load(Path(arguments[0])))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        for spec in made.values():
            print(line(spec))
            for warning in control_files.warnings(spec):
                print(f"{spec.name}: warning: {warning}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
