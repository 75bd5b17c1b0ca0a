"""Asking the doctor of each host: the edge to pyinfra. No host is changed."""

import time
from collections.abc import Collection

from gevent.pool import Pool
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.facts import get_fact
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state

from fleet import ssh_tuning
from fleet.doctor.answer import Answer, read
from fleet.facts.diagnosis import Diagnosis
from fleet.plan.dry import Unreached

AT_ONCE = 40  # hosts asked in parallel


def ask(inventory: Inventory, names: Collection[str]) -> dict[str, Answer]:
    """Connect to the hosts with these names, ask each, and disconnect."""
    ssh_tuning.no_delay()
    ssh_tuning.quiet()
    state, unreached = ctx_state.get(), Unreached()
    ctx_inventory.set(inventory)
    config = Config()
    ctx_config.set(config)
    wanted = [host for host in inventory if host.name in names]
    state.init(inventory, config, initial_limit=wanted)
    state.add_callback_handler(unreached)
    state.set_stage(StateStage.Connect)
    try:
        try:
            connect_all(state)
        except PyinfraError:  # no host is left, says it; each is told of below
            if state.active_hosts:
                raise
        here = [host for host in wanted if host in state.activated_hosts]
        found = dict(zip((host.name for host in here), Pool(AT_ONCE).map(_one, here), strict=True))
    finally:
        disconnect_all(state)
    return {host.name: found.get(host.name) or _absent(host, unreached) for host in wanted}


def _absent(host: Host, unreached: Unreached) -> Answer:
    why = unreached.why.get(host.name, "no answer")
    return Answer(problem=f"cannot be reached over SSH: {why}")


def _one(host: Host) -> Answer:
    asked = time.time()
    try:
        with ctx_host.use(host):
            told: str = get_fact(host.state, host, Diagnosis, apply_failed_hosts=False)
    except (PyinfraError, OSError, EOFError) as error:
        return Answer(problem=f"cannot be looked at: {error or 'sudo wants a password'}")
    return read(told, asked, time.time())
