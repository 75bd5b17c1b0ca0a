"""Runs one stokerctl on hosts of an inventory, all at once."""

from collections.abc import Collection, Iterator

import msgspec
from gevent.pool import Pool
from pyinfra.api import StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state

from fleet import ssh_tuning
from fleet.plan.dry import Unreached

AT_ONCE = 40
DEADLINE = 60  # seconds


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a host has answered. `problem`: it could not be asked, and why."""

    out: str = ""
    error: str = ""
    done: bool = False
    problem: str = ""


def ask(inventory: Inventory, names: Collection[str], command: StringCommand) -> dict[str, Said]:
    """Run the command on the hosts with these names; return what each has said."""
    ssh_tuning.no_delay()
    ssh_tuning.quiet()
    state, unreached, config = ctx_state.get(), Unreached(), Config()
    ctx_inventory.set(inventory)
    ctx_config.set(config)
    state.init(inventory, config, initial_limit=[h for h in inventory if h.name in names])
    state.add_callback_handler(unreached)
    state.set_stage(StateStage.Connect)
    try:
        try:
            connect_all(state)
        except PyinfraError:  # no host is left, says it; each is told below
            if state.active_hosts:
                raise
        here = [host for host in state.activated_hosts if host.name in names]
        said = dict(Pool(AT_ONCE).imap_unordered(lambda host: _ask(host, command), here))
        return {**dict(_missing(names, said, unreached)), **said}
    finally:
        disconnect_all(state)


def _missing(
    names: Collection[str], said: Collection[str], unreached: Unreached
) -> Iterator[tuple[str, Said]]:
    for name in names:
        if name not in said:
            yield name, Said(problem=unreached.why.get(name, "no answer"))


def _ask(host: Host, command: StringCommand) -> tuple[str, Said]:
    with ctx_host.use(host):
        given, _ = pop_global_arguments(host.state, host, {})
        known = dict(given).items()
        arguments = {key: value for key, value in known if key in CONNECTOR_ARGUMENT_KEYS}
        try:
            done, output = host.run_shell_command(command, **arguments | {"_timeout": DEADLINE})
        except (PyinfraError, OSError, EOFError) as error:
            return host.name, Said(problem=str(error))
    return host.name, Said(out=output.stdout, error=output.stderr, done=done)
