"""Turns pyinfra's silent successes, and its stack traces, into errors that say what is wrong.

With a misspelt inventory, or a `--limit` that matches nothing, pyinfra warns, does nothing and
exits 0; without a terminal its questions end in a stack trace (both measured, 3.10.0).
"""

import sys
from io import StringIO

import click
from pyinfra import state
from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import ctx_state

_carried_out: list[str] = []


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
    operations, inventory = command.params["operations"], command.params["inventory"]
    _carried_out.append(f"{' '.join(operations)} for {inventory}")


def executing() -> str | None:
    """Return what this process carries out, in words; None when it only looks."""
    return _carried_out[-1] if _carried_out else None


def _deploys(params: dict[str, object]) -> bool:
    operations = params.get("operations")
    return isinstance(operations, tuple) and all(str(o).endswith(".py") for o in operations)


def _wanted() -> list[str]:
    return [host.name for host in state.inventory if state.is_host_in_limit(host)]
