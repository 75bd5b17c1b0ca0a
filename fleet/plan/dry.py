"""What the hosts of an inventory answer, and what a deploy would do there: the edge to pyinfra.

The deploy is loaded as pyinfra's command line loads it, and each operation is asked for its first
command on the host as it is; none is ever sent. `pyinfra --dry` does the same, but one host that
cannot be reached, or is unfit, hides all others there.
"""

from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from typing import cast

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.facts import get_fact
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import BaseStateCallback, State, StateStage
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state
from pyinfra_cli.util import load_deploy_file

from agent.errors import SourceError, SpecError
from fleet import batching, specs, ssh_tuning
from fleet.facts.engines import AgentStatus, Status
from fleet.models import locked
from fleet.plan import driver_moves, loaded
from fleet.plan.changes import Planned
from fleet.plan.seen import Seen
from fleet.render import ROOT
from fleet.stages import preflight

DEPLOY = ROOT / "deploy.py"


class Unreached(BaseStateCallback):
    """Remembers why a host could not be connected to."""

    def __init__(self) -> None:
        self.why: dict[str, str] = {}

    # pyinfra declares it static, and calls it on the instance.
    def host_connect_error(  # type: ignore[override]
        self,
        state: State,  # noqa: ARG002
        host: Host,
        error: object,
    ) -> None:
        """Take a note."""
        self.why[host.name] = str(error)


def look(inventory: Inventory, names: Collection[str]) -> dict[str, Seen]:
    """Look at the hosts with these names, and disconnect; raise `SpecError` for a broken deploy."""
    ssh_tuning.no_delay()
    ssh_tuning.quiet()
    state, unreached = ctx_state.get(), Unreached()
    ctx_inventory.set(inventory)
    config = Config()
    ctx_config.set(config)
    state.init(inventory, config, initial_limit=[h for h in inventory if h.name in names])
    state.add_callback_handler(unreached)
    state.set_stage(StateStage.Connect)
    try:
        _connect(state)
        return dict(_seen(state, unreached))
    finally:
        disconnect_all(state)


def _connect(state: State) -> None:
    try:
        connect_all(state)
    except PyinfraError:  # no host is left, says it; those that could not be reached are told below
        if state.active_hosts:
            raise


def _seen(state: State, unreached: Unreached) -> Iterator[tuple[str, Seen]]:
    wanted = [host for host in state.inventory if state.is_host_in_limit(host)]
    here = [host for host in wanted if host in state.activated_hosts]
    found, wrong = preflight.look(state) if here else ({}, {})
    problems = {host.name: [*wrong.get(host.name, []), *_unlocked(host)] for host in here}
    fit = [host for host in here if not problems[host.name]]
    operations = _operations(state, fit) if fit else {}
    for host in wanted:
        if host not in here:
            why = unreached.why.get(host.name, "no answer")
            sentence = f"cannot be reached over SSH: {why}"
            yield host.name, Seen(contact="unreachable", problems=(sentence,))
            continue
        planned, failed = operations.get(host.name, (None, []))
        yield (
            host.name,
            Seen(
                contact="failed" if failed else "looked at",
                problems=(*problems[host.name], *failed),
                bare=found.get(host.name),
                status=_status(host) if host in fit else Status(),
                operations=planned,
                driver_move=driver_moves.look(host, specs.of(host), found[host.name])
                if host in fit and host.name in found
                else None,
            ),
        )


def _unlocked(host: Host) -> list[str]:
    return locked.faults(specs.of(host))


def _status(host: Host) -> Status:
    with ctx_host.use(host):
        found: Status = get_fact(host.state, host, AgentStatus, apply_failed_hosts=False)
    return found


def _operations(
    state: State, hosts: list[Host]
) -> dict[str, tuple[tuple[Planned, ...] | None, list[str]]]:
    """Load the deploy for these hosts and ask each of its operations; or say why not."""
    state.limit_hosts = hosts
    state.active_hosts = set(hosts)
    state.set_stage(StateStage.Prepare)
    batching.only_ask(state)
    try:
        load_deploy_file(state, str(DEPLOY))
    except PyinfraError as error:
        raise SpecError(str(error)) from error
    order = state.get_op_order()
    jobs = {host.name: state.pool.spawn(_ask, state, host, order) for host in hosts}
    return {name: job.get() for name, job in jobs.items()}


def _ask(
    state: State, host: Host, order: list[str]
) -> tuple[tuple[Planned, ...] | None, list[str]]:
    planned: list[Planned] = []
    with ctx_host.use(host), ctx_config.use(state.config.copy()):
        for one in (one for one in order if one in state.ops[host]):
            [name] = state.op_meta[one].names
            stage, _, words = name.partition(" | ")
            generate = state.ops[host][one].command_generator
            try:
                changes = _changes(state, host, generate)
            except SourceError as error:
                return None, [f"cannot be looked at for {name!r}: {error}"]
            made = Planned(stage=stage, name=words, changes=changes, files=loaded.files(generate))
            planned.append(made)
    return tuple(planned), []


def _changes(state: State, host: Host, generate: Callable[[], Iterator[PyinfraCommand]]) -> bool:
    """Say whether an operation would change something; raise `SourceError` if it cannot tell."""
    try:
        first = _first(generate)
    except (PyinfraError, OSError, EOFError) as error:
        if host not in state.failed_hosts:
            raise SourceError(str(error)) from error
        first = None
    if host in state.failed_hosts:  # a fact failed: pyinfra says so, and goes on with its default
        raise SourceError("see above")
    return first is not None


def _first(generate: Callable[[], Iterator[PyinfraCommand]]) -> PyinfraCommand | None:
    """Return the first command, and let the operation clean up before the next one is asked."""
    with closing(cast("Generator[PyinfraCommand]", generate())) as commands:
        return next(commands, None)
