"""The release's own deploy, loaded on this node: what its operations would do, and doing some.

Nothing is executed while it is loaded and asked.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import msgspec
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.operation import OperationMeta
from pyinfra.api.operations import run_ops
from pyinfra.api.state import BaseStateCallback, State, StateStage
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state
from pyinfra_cli.exceptions import CliError
from pyinfra_cli.util import load_deploy_file

from agent.drift.manifest import Manifest
from agent.drift.report import Finding
from agent.errors import SourceError
from agent.releases import About
from fleet import batching, manifest, specs, validate
from fleet.drift import strange
from fleet.drift.asked import Asked
from fleet.drift.memo import Memo
from fleet.facts.paths import PathStates
from fleet.facts.units import UnitStates
from fleet.release import given, wanted
from fleet.render import ROOT
from fleet.stages import preflight

INVENTORY = Path("inventory/node.py")


class RealDeploy:
    """The real one; use within `loaded`."""

    def __init__(self, state: State, host: Host, former: Manifest) -> None:
        self._state, self._host, self._former = state, host, former
        self._order = state.get_op_order()

    def ask(self) -> tuple[Asked, ...]:
        """See `Deployed`."""
        with ctx_host.use(self._host), ctx_config.use(self._state.config.copy()):
            return tuple(self._ask(key) for key in self._order)

    def broken(self) -> Iterable[Finding]:
        """See `Deployed`."""
        here = given.release()
        assert here is not None
        laid = msgspec.json.decode((here / "about.json").read_bytes(), type=About)
        with ctx_host.use(self._host):
            spec, found = specs.of(self._host), preflight.look(self._state)[0][self._host.name]
        return strange.release(laid, here.name, wanted.about(spec, found.python, laid.at))

    def strange(self) -> Iterable[Finding]:
        """See `Deployed`."""
        measured, former = manifest.of(self._host).measured, self._former
        with ctx_host.use(self._host):
            paths = self._host.get_fact(PathStates, paths=sorted(measured)) if measured else {}
            units = self._host.get_fact(UnitStates, names=sorted(former.composed))
        return (*strange.files(former, measured, paths), *strange.units(former, units))

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

    def run(self, keys: Collection[str], *, again: bool) -> dict[str, str]:
        """See `Deployed`."""
        vars(self._host).pop("get_fact", None)  # what is carried out must see what it changes
        self._state.config.FAIL_PERCENT = None
        self._state.set_stage(StateStage.Execute)
        # What failed may have been in the way of itself: a source of apt is put right after the
        # packages that come first.
        failed = self._pass(keys)
        return self._pass(keys) if failed and again else failed

    def _pass(self, keys: Collection[str]) -> dict[str, str]:
        failures = _Failures()
        self._state.add_callback_handler(failures)
        self._host.op_hash_order = [key for key in self._order if key in keys]
        for key in keys:  # one that cannot be put right is no reason to leave the others
            data = self._state.ops[self._host][key]
            data.global_arguments["_ignore_errors"] = True
            data.operation_meta = OperationMeta(key, None)  # one is good for one execution
        try:
            run_ops(self._state)
        except PyinfraError as error:
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
        [host] = state.activated_hosts
        former = manifest.of_release() or Manifest()
        host.get_fact = Memo(host.get_fact, former).get_fact
        state.set_stage(StateStage.Prepare)
        batching.only_ask(state)
        try:
            load_deploy_file(state, str(ROOT / "deploy.py"))
        except PyinfraError as error:
            raise SourceError(str(error)) from error
        except CliError as error:  # whatever an operation, or a stage, has raised
            raise SourceError(f"deploy.py: {error.__context__!r}") from error
        yield RealDeploy(state, host, former)
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
