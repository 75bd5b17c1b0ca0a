"""The release's own deploy, loaded on this node: what its operations would do, and doing some.

Nothing is executed while it is loaded and asked.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol, cast

import msgspec
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.operations import run_ops
from pyinfra.api.state import BaseStateCallback, State, StateStage
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state
from pyinfra_cli.util import load_deploy_file

from agent.errors import SourceError
from fleet import validate
from fleet.render import ROOT

INVENTORY = Path("inventory/node.py")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One operation, by its key; `first` is the first command it would send, None = no change."""

    key: str
    stage: str
    name: str
    first: str | None


class Deployed(Protocol):
    """What a check needs of the deploy. `tests/fleet/drift/` has the fake."""

    def ask(self) -> tuple[Asked, ...]:
        """Ask every operation, in order; raise `SourceError` when one cannot look."""

    def run(self, keys: Collection[str]) -> dict[str, str]:
        """Carry out these operations, in order; return what failed, by key, with the last words."""


class RealDeploy:
    """The real one; use within `loaded`."""

    def __init__(self, state: State, host: Host) -> None:
        self._state, self._host = state, host
        self._order = state.get_op_order()

    def ask(self) -> tuple[Asked, ...]:
        """See `Deployed`."""
        with ctx_host.use(self._host), ctx_config.use(self._state.config.copy()):
            return tuple(self._ask(key) for key in self._order)

    def _ask(self, key: str) -> Asked:
        [whole] = self._state.op_meta[key].names
        stage, _, name = whole.partition(" | ")
        generate = self._state.ops[self._host][key].command_generator
        try:
            first = _first(generate)
        except (PyinfraError, OSError, EOFError) as error:
            raise SourceError(f"{whole}: {error}") from error
        if self._host in self._state.failed_hosts:
            raise SourceError(f"{whole}: a look at this node failed")
        return Asked(key=key, stage=stage, name=name, first=first)

    def run(self, keys: Collection[str]) -> dict[str, str]:
        """See `Deployed`."""
        failures = _Failures()
        self._state.add_callback_handler(failures)
        self._state.config.FAIL_PERCENT = None
        self._host.op_hash_order = [key for key in self._order if key in keys]
        self._state.set_stage(StateStage.Execute)
        try:
            run_ops(self._state)
        except PyinfraError as error:  # no host is left: what failed is known
            if not failures.keys:
                raise SourceError(str(error)) from error
        return {key: self._last_words(key) for key in failures.keys}

    def _last_words(self, key: str) -> str:
        output = self._state.ops[self._host][key].operation_meta.stderr_lines
        return output[-1] if output else "it failed without a word"


@contextmanager
def loaded() -> Iterator[RealDeploy]:
    """Load the deploy of the release that this process runs from; raise `SourceError`."""
    try:
        inventory = validate.load(INVENTORY)
    except ValueError as error:
        raise SourceError(str(error)) from error
    state, config = ctx_state.get(), Config()
    ctx_inventory.set(inventory)
    ctx_config.set(config)
    state.init(inventory, config)
    state.set_stage(StateStage.Connect)
    connect_all(state)
    try:
        state.set_stage(StateStage.Prepare)
        try:
            load_deploy_file(state, str(ROOT / "deploy.py"))
        except PyinfraError as error:
            raise SourceError(str(error)) from error
        [host] = state.activated_hosts
        yield RealDeploy(state, host)
    finally:
        disconnect_all(state)


class _Failures(BaseStateCallback):
    """Remembers which operations failed."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    # pyinfra declares it static, and calls it on the instance.
    def operation_host_error(  # type: ignore[override]
        self,
        state: State,  # noqa: ARG002
        host: Host,  # noqa: ARG002
        op_hash: str,
        retry_count: int = 0,  # noqa: ARG002
        max_retries: int = 0,  # noqa: ARG002
    ) -> None:
        """Take a note."""
        self.keys.append(op_hash)


def _first(generate: Callable[[], object]) -> str | None:
    """Return the first command, masked; let the operation clean up before the next is asked."""
    with closing(cast("Iterator[PyinfraCommand]", generate())) as commands:  # type: ignore[type-var]
        first = next(commands, None)
    return None if first is None else str(first)
