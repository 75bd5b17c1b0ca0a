"""A reboot that is waited for: the host is back when it says that it booted anew."""

import time
from collections.abc import Generator

from paramiko import SSHException
from pyinfra.api import FunctionCommand, StringCommand
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import State

from fleet import locking

DEADLINE = 1800.0  # seconds; a server with eight GPUs may test itself for a quarter of an hour
PAUSE = 2.0
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def reboot(deadline: float = DEADLINE) -> Generator[StringCommand | FunctionCommand]:
    """Yield the commands that reboot the host and wait until its boot is done."""
    before: list[str] = []
    yield FunctionCommand(_remember, (before,), {})
    # Detached, so that the command ends before its connection does.
    yield StringCommand("( sleep 1; systemctl reboot ) </dev/null >/dev/null 2>&1 &")
    yield FunctionCommand(_wait, (before, deadline), {})


def _remember(state: State, host: Host, before: list[str]) -> bool:  # noqa: ARG001 - pyinfra's form
    before.append(_ask(host, BOOT_ID))
    return bool(before[-1])


def _wait(state: State, host: Host, before: list[str], deadline: float) -> bool:  # noqa: ARG001
    with locking.away(host):
        return is_back(host, before[-1], deadline, PAUSE)


def is_back(host: Host, before: str, deadline: float, pause: float) -> bool:
    """Wait until the host has another boot id than `before`, and has done its boot; say if not."""
    late = time.monotonic() + deadline
    host.disconnect()
    while time.monotonic() < late:
        time.sleep(pause)
        host.connect(show_errors=False)
        now = _ask(host, BOOT_ID) if host.connected else ""
        if now and now != before:
            _ask(host, "systemctl is-system-running --wait", max(late - time.monotonic(), pause))
            return True
        if host.connected:
            host.disconnect()
    host.log_styled(
        f"did not come back within {deadline:.0f} s after its reboot; look at its console",
        fg="red",
    )
    return False


def _ask(host: Host, command: str, seconds: float = 30) -> str:
    """Return what a command prints; empty where the connection breaks, as it does in a reboot."""
    try:
        _, output = host.run_shell_command(StringCommand(command), _timeout=int(seconds))
    except (PyinfraError, SSHException, OSError, EOFError, TimeoutError):
        return ""
    return output.stdout.strip()
