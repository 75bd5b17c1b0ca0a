"""Every host of a run is ours alone while it lasts: locks, heartbeats, and giving back.

Taken once preflight has passed and before anything changes; given back when pyinfra disconnects,
however the run ends. A run that was killed loses its locks by itself; the next one on the same
machine sees that its process is gone and does not wait for that.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from weakref import WeakKeyDictionary

import gevent
import msgspec
from gevent.pool import Pool
from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.context import ctx_host

from agent import hostlock
from fleet import holder
from fleet.errors import RefusedError
from fleet.holder import Holder

AT_ONCE = 40
BEAT = hostlock.TTL / 4  # seconds
DEADLINE = 30  # seconds for one command
SCRIPT = Path(hostlock.__file__).read_text()
# On a node, in what is a part of somebody's act: the token of that one, who gives the lock back.
VARIABLE = "STOKER_LOCK"

_guard = Lock()
_held: WeakKeyDictionary[State, Holder] = WeakKeyDictionary()


def token(state: State) -> str:
    """Return the token under which this run holds its hosts; empty when it holds none."""
    return _held[state].token if state in _held else ""


def take(state: State, reason: str) -> None:
    """Lock every host of the run, once; raise `RefusedError` with who has one, and lock none."""
    with _guard:  # the first host takes them for all
        if state in _held or os.environ.get(VARIABLE):
            return
        _held[state] = _take_all(state, reason)


def _take_all(state: State, reason: str) -> Holder:
    hosts = [host for host in state.activated_hosts if state.is_host_in_limit(host)]
    mine = holder.me(reason)
    asked = list(zip(hosts, Pool(AT_ONCE).map(lambda host: _take(host, mine), hosts), strict=True))
    if refused := sorted(f"{host.name}: {problem}" for host, problem in asked if problem):
        Pool(AT_ONCE).map(lambda host: tell(host, "leave", mine), hosts)
        raise RefusedError(refused)
    beating = gevent.spawn(_beat, hosts, mine)
    for host in hosts:
        _leave_with(host, mine, beating)
    return mine


def _take(host: Host, mine: Holder) -> str | None:
    """Return why the host cannot be had; None when it is ours."""
    found, code = tell(host, "take", mine)
    if code == 0:
        return None
    if found is not None and found.ended:
        found, code = tell(host, "steal", mine)
    if code == 0:
        return None
    if found is None:
        return "its lock cannot be looked at"
    return (
        f"{found.sentence(time.time())}; wait for the end, or "
        f"`stoker lock steal INVENTORY --limit {host.name} --reason …`"
    )


def tell(host: Host, verb: str, mine: Holder | None = None) -> tuple[Holder | None, int]:
    """Ask a host's lock; return its holder and the exit code."""
    wanted = json.dumps(msgspec.to_builtins(mine)) if mine is not None else "{}"
    command = StringCommand("python3 -", verb, hostlock.PATH, QuoteString(wanted))
    with ctx_host.use(host):
        given, _ = pop_global_arguments(host.state, host, {})
        known = dict(given).items()
        arguments = {key: value for key, value in known if key in CONNECTOR_ARGUMENT_KEYS}
        arguments |= {"_stdin": SCRIPT, "_timeout": DEADLINE}
        done, output = host.run_shell_command(command, **arguments)
    held = next(iter(_holders(output.stdout_lines)), None)
    return held, 0 if done else hostlock.BUSY


def _holders(lines: list[str]) -> Iterator[Holder]:
    for line in lines:
        with suppress(ValueError, TypeError):
            yield holder.decode(json.loads(line))


def _beat(hosts: list[Host], mine: Holder) -> None:
    while True:
        gevent.sleep(BEAT)
        for host in hosts:
            with suppress(Exception):  # a host that reboots; if it stays away the operation says so
                tell(host, "beat", mine)


def _leave_with(host: Host, mine: Holder, beating: gevent.Greenlet) -> None:
    """Give the lock back before the connection is closed."""
    connector = host.connector
    disconnect = connector.disconnect

    def leave() -> None:
        beating.kill(block=False)
        with suppress(Exception):  # then it expires
            tell(host, "leave", mine)
        disconnect()

    connector.disconnect = leave  # type: ignore[method-assign]
