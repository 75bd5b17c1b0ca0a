"""Turns pyinfra's silent successes into errors.

With a misspelt inventory, or a `--limit` that matches nothing, pyinfra warns, does nothing and
exits 0 (measured, 3.10.0). Nobody should take that for a deploy.
"""

import click
from pyinfra import state
from pyinfra.context import ctx_state


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


def _deploys(params: dict[str, object]) -> bool:
    operations = params.get("operations")
    return isinstance(operations, tuple) and all(str(o).endswith(".py") for o in operations)


def _wanted() -> list[str]:
    return [host.name for host in state.inventory if state.is_host_in_limit(host)]
