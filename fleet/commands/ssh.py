"""`Hosts` over pyinfra's connectors: one connection a host, all at once, each with a deadline.

A host that hangs costs its own deadline and nobody else's: each is connected to and asked in a
greenlet of its own.
"""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import gevent
from gevent.pool import Pool
from paramiko.ssh_exception import SSHException
from pyinfra.api import StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, ConnectorArguments, pop_global_arguments
from pyinfra.api.config import Config
from pyinfra.api.connect import disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State, StateStage
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import make_unix_command_for_host
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state

from agent.errors import StokerError
from fleet import locking, ssh_tuning
from fleet.commands.hosts import Answer, Ask, Heard, nobody
from fleet.errors import RefusedError

AT_ONCE = 200  # hosts asked in parallel; each is a socket, and waits most of the time
CONNECT = 25.0  # seconds until a host must have let us in; pyinfra gives TCP 10 of them
GRACE = 5.0  # seconds beyond a command's own deadline
MARK = "stoker-exit="


@contextmanager
def connected(inventory: Inventory, names: Sequence[str]) -> Iterator["SshHosts"]:
    """Make ready to ask these hosts; each is connected to when it is asked first."""
    ssh_tuning.no_delay()
    ssh_tuning.quiet()
    state, config = ctx_state.get(), Config()
    ctx_inventory.set(inventory)
    ctx_config.set(config)
    chosen = [host for host in inventory if host.name in names]
    state.init(inventory, config, initial_limit=chosen)
    state.set_stage(StateStage.Connect)
    try:
        yield SshHosts(state, {host.name: host for host in chosen})
    finally:
        disconnect_all(state)


class SshHosts:
    """The real ones; see `Hosts`."""

    def __init__(self, state: State, hosts: Mapping[str, Host]) -> None:
        self._state, self._hosts = state, hosts
        self._away: dict[str, str] = {}  # who could not be reached, and why: asked once

    def ask(self, asks: Mapping[str, Ask], heard: Heard = nobody) -> dict[str, Answer]:
        """See `Hosts`."""

        def one(name: str) -> Answer:
            answer = self._ask(name, asks[name])
            heard(answer)
            return answer

        return dict(zip(asks, Pool(AT_ONCE).map(one, list(asks)), strict=True))

    def follow(self, host: str, ask: Ask, line: Callable[[str], None]) -> Answer:
        """See `Hosts`."""
        one = self._hosts[host]
        if problem := self._connect(one):
            return Answer(host=host, problem=problem)
        with ctx_host.use(one):
            command = StringCommand(ask.command)
            whole = make_unix_command_for_host(self._state, one, command, **_arguments(one))
        try:
            for found in _lines(one, whole.get_raw_value()):
                line(found.decode(errors="replace").rstrip("\n"))
        except (OSError, EOFError, SSHException) as error:
            return Answer(host=host, problem=f"the connection is gone: {error}")
        return Answer(host=host, code=0)

    def hold(self, names: Sequence[str], reason: str) -> str:
        """See `Hosts`."""
        self._state.limit_hosts = [self._hosts[name] for name in names]
        try:
            locking.take(self._state, reason)
        except RefusedError as error:
            raise StokerError(str(error)) from error
        return locking.token(self._state)

    def _ask(self, name: str, ask: Ask) -> Answer:
        host = self._hosts[name]
        if problem := self._connect(host):
            return Answer(host=name, problem=problem)
        try:
            with gevent.Timeout(ask.deadline + GRACE, TimeoutError), ctx_host.use(host):
                _, output = host.run_shell_command(
                    StringCommand(f"(\n{ask.command}\n); printf '\\n{MARK}%s\\n' $?"),
                    **_arguments(host, ask),
                )
        except TimeoutError:
            return Answer(host=name, problem=f"gave no answer within {ask.deadline:.0f} s")
        except (PyinfraError, OSError, EOFError, SSHException) as error:
            why = str(error) or "sudo wants a password"
            return Answer(host=name, problem=f"cannot be asked: {why}")
        return read(name, output.stdout_lines, output.stderr)

    def _connect(self, host: Host) -> str:
        """Return why the host cannot be reached, or nothing."""
        if host.connected or host.name in self._away:
            return self._away.get(host.name, "")
        try:
            with gevent.Timeout(CONNECT, TimeoutError("no answer")):
                host.connect(show_errors=False, raise_exceptions=True)
        except (PyinfraError, OSError, EOFError, SSHException) as error:
            self._away[host.name] = f"cannot be reached over SSH: {error or 'no answer'}"
            return self._away[host.name]
        self._state.activate_host(host)
        return ""


def read(name: str, out: Sequence[str], err: str) -> Answer:
    """Make an answer of what was printed; the last line tells the exit code."""
    lines = list(out)
    while lines and not lines[-1].startswith(MARK):
        lines.pop()
    if not lines:
        said = err.strip().splitlines()[-1:] or ["the connection was lost"]
        return Answer(host=name, err=err, problem=f"cannot be asked: {said[0][:200]}")
    code = int(lines.pop().removeprefix(MARK))
    return Answer(host=name, code=code, out="\n".join(lines).rstrip("\n"), err=err)


def _arguments(host: Host, ask: Ask | None = None) -> ConnectorArguments:
    with ctx_host.use(host):
        given, _ = pop_global_arguments(host.state, host, {})
    known = dict(given).items()
    arguments = {key: value for key, value in known if key in CONNECTOR_ARGUMENT_KEYS}
    if ask is None:
        for key in ("_timeout", "_stdin", "_get_pty", "_success_exit_codes"):
            arguments.pop(key, None)
    else:
        arguments |= {"_timeout": int(ask.deadline)} | ({"_stdin": ask.stdin} if ask.stdin else {})
    return arguments  # type: ignore[return-value]


def _lines(host: Host, command: str) -> Iterator[bytes]:
    if isinstance(host.connector, SSHConnector):
        client = host.connector.client
        if client is None:
            raise EOFError("not connected")
        _, out, _ = client.exec_command(command)
        yield from out.channel.makefile("rb")
        return
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE) as process:
        if process.stdout is not None:
            yield from process.stdout
