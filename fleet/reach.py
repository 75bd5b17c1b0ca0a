"""Does the host still let us in? Asked over a new connection: the old one goes on in any case."""

from typing import Protocol

from pyinfra.api import StringCommand
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.connectors.ssh import SSHConnector

TRIES = 3  # of ten seconds each (pyinfra's CONNECT_TIMEOUT)


class Reach(Protocol):
    """How a deploy gets to its hosts."""

    def by_ssh(self, host: Host) -> bool:
        """Say whether it comes over SSH at all; on the node itself it does not."""

    def again(self, host: Host) -> str:
        """Connect once more and run a command; return why that fails, or nothing."""


class NewConnection:
    """`Reach` by pyinfra's own connector, with all settings of the host."""

    def by_ssh(self, host: Host) -> bool:
        """See `Reach`."""
        return isinstance(host.connector, SSHConnector)

    def again(self, host: Host) -> str:
        """See `Reach`."""
        why = ""
        for _ in range(TRIES):
            connector = SSHConnector(host.state, host)
            try:
                connector.connect()
                answered, _output = connector.run_shell_command(StringCommand("true"))
                if answered:
                    return ""
                why = "it opens, but runs no command"
            except (PyinfraError, OSError, EOFError) as error:
                why = str(error)
            finally:
                connector.disconnect()
        return why
