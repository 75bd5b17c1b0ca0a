"""A command whose output is shown while it runs: what takes minutes must not be silent."""

from pyinfra.api import StringCommand
from pyinfra.api.arguments import ConnectorArguments
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput
from typing_extensions import override


class Told(StringCommand):
    """Shows its output as pyinfra does with -vvv, line by line with the host's name before it."""

    @override
    def execute(
        self, state: State, host: Host, connector_arguments: ConnectorArguments
    ) -> tuple[bool, CommandOutput]:
        connector_arguments.update(self.connector_arguments)
        done, output = host.run_shell_command(
            self, print_output=True, print_input=state.print_input, **connector_arguments
        )
        # pyinfra shows what a command that failed had said: all but the last line was seen already.
        return done, output if done else CommandOutput(list(output)[-1:])
