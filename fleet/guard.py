"""Turns pyinfra's silent successes, and its stack traces, into errors that say what is wrong.

With a misspelt inventory, or a `--limit` that matches nothing, pyinfra warns, does nothing and
exits 0; without a terminal its questions end in a stack trace (both measured, 3.10.0).
"""

import sys
from collections.abc import Callable
from io import StringIO

import click
from pyinfra import state
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import BaseStateCallback, State
from pyinfra.context import ctx_state

_carried_out: list[str] = []
_inventories: list[str] = []


def refuse_empty_runs() -> None:
    """End the pyinfra command that is running with an error if it reached for no host at all."""
    command = click.get_current_context(silent=True)
    if command is None or not _deploys(command.params):
        return  # loaded by something else than pyinfra's command line, or only looking

    def no_hosts() -> None:
        if ctx_state.isset() and state.initialised and not list(_wanted()):
            raise click.ClickException(
                f"no host was selected: inventory {command.params['inventory']!r}, "
                f"limit {list(command.params['limit']) or 'none'}. Is one of them misspelt?"
            )

    command.call_on_close(no_hosts)


def answer_questions() -> None:
    """Without a terminal: answer no to "continue?", and refuse a run that needs a yes."""
    command = click.get_current_context(silent=True)
    if command is None or not _deploys(command.params) or sys.stdin.isatty():
        return
    params = command.params
    if params.get("dry"):
        sys.stdin = StringIO("no\n" * 1000)
    elif not (params.get("yes") or params.get("json_output")):
        raise PyinfraError(
            "there is no terminal to ask on whether to apply: give -y, or --dry to look"
        )


def remember() -> None:
    """Note what the pyinfra command carries out, for `executing`: greenlets do not see it."""
    command = click.get_current_context(silent=True)
    if command is None or not _deploys(command.params) or command.params.get("dry"):
        return
    operations, named = command.params["operations"], str(command.params["inventory"])
    _carried_out.append(f"{' '.join(operations)} for {named}")
    _inventories.append(named)


def executing() -> str | None:
    """Return what this process carries out, in words; None when it only looks."""
    return _carried_out[-1] if _carried_out else None


def inventory() -> str:
    """Return the inventory that this process carries something out for; empty when it looks."""
    return _inventories[-1] if _inventories else ""


def at_end(finish: Callable[[], None]) -> None:
    """Have this called when the pyinfra command that is running ends, however it ends."""
    command = click.get_current_context(silent=True)
    if command is not None:
        command.call_on_close(finish)


def refuse_disorder() -> None:
    """Refuse `--no-wait`: all hosts of a model would change what they serve with at once."""
    command = click.get_current_context(silent=True)
    if command is not None and _deploys(command.params) and command.params.get("no_wait"):
        raise PyinfraError(
            "--no-wait: hosts of one model would not change after each other; leave it out"
        )


class StopAtFirstFailure(BaseStateCallback):
    """The first operation that fails on a host is the last of the run: the others stay as they are.

    Set as operations begin, not in `config.py`: preflight tells of hosts that are not reached.
    """

    # pyinfra declares it static, and calls it on the instance.
    def operation_start(  # type: ignore[override]
        self,
        state: State,
        op_hash: str,  # noqa: ARG002
    ) -> None:
        """Let no operation begin without it."""
        state.config.FAIL_PERCENT = 0


def _deploys(params: dict[str, object]) -> bool:
    operations = params.get("operations")
    return isinstance(operations, tuple) and all(str(o).endswith(".py") for o in operations)


def _wanted() -> list[str]:
    return [host.name for host in state.inventory if state.is_host_in_limit(host)]
