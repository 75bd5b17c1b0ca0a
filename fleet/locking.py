"""Every host of a run is ours alone while it lasts: locks, heartbeats, and giving back.

Taken once preflight has passed and before anything changes; given back when pyinfra disconnects,
however the run ends. A run that was killed loses its locks by itself; the next one on the same
machine sees that its process is gone and does not wait for that.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Protocol
from weakref import WeakKeyDictionary, WeakSet

import gevent
import msgspec
from gevent.pool import Pool
from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.context import ctx_host

from agent import hostlock
from agent.errors import GARBLED
from fleet import holder, inventory_lock
from fleet.errors import RefusedError
from fleet.holder import Holder
from fleet.release import given

AT_ONCE = 40
BEAT = hostlock.TTL / 4  # seconds
DEADLINE = 30  # seconds for one command
DRIFT = "drift"  # who checks by cron: it is waited for, and not told of
PATIENCE = hostlock.TTL + 30  # seconds; after a TTL one that was killed has lost its lock
PAUSE = 2.0
SCRIPT = Path(hostlock.__file__).read_text()
# On a node, in what is a part of somebody's act: the token of that one, who gives the lock back.
VARIABLE = "STOKER_LOCK"

_guard = Lock()
_held: WeakKeyDictionary[State, Holder] = WeakKeyDictionary()
_lost: WeakKeyDictionary[State, str] = WeakKeyDictionary()
_away: WeakSet[Host] = WeakSet()
Line = dict[str, object]


class Log(Protocol):
    """What each host writes down of the run: when the lock is taken, and when it is given back."""

    def began(self, host: Host) -> Line:
        """Return the line at the beginning."""

    def ended(self, host: Host) -> Line:
        """Return the line at the end."""


def lost(state: State) -> str:
    """Return who has taken a host away from this run; empty while all are ours."""
    return _lost.get(state, "")


def token(state: State) -> str:
    """Return the token under which this run holds its hosts; empty when it holds none."""
    return _held[state].token if state in _held else ""


def take(state: State, reason: str, log: Log | None = None) -> None:
    """Lock every host of the run, once; raise `RefusedError` with who has one, and lock none."""
    with _guard:  # the first host takes them for all
        if state in _held or os.environ.get(VARIABLE):
            return
        _held[state] = _take_all(state, reason, log)


def _take_all(state: State, reason: str, log: Log | None) -> Holder:
    hosts = [host for host in state.activated_hosts if state.is_host_in_limit(host)]
    mine = holder.me(reason)
    _take_inventory(state, mine)
    lines = {host: log.began(host) if log else None for host in hosts}
    asked = list(
        zip(
            hosts,
            Pool(AT_ONCE).map(lambda host: _take(host, mine, lines[host]), hosts),
            strict=True,
        )
    )
    if refused := sorted(f"{host.name}: {problem}" for host, problem in asked if problem):
        Pool(AT_ONCE).map(lambda host: tell(host, "leave", mine), hosts)
        inventory_lock.leave(mine)
        raise RefusedError(refused)
    beating = gevent.spawn(_beat, hosts, mine)
    for host in hosts:
        _leave_with(host, mine, beating, log)
    return mine


def _take_inventory(state: State, mine: Holder) -> None:
    if given.release() is not None:  # a node, whose release nobody writes to
        return
    if others := inventory_lock.take({inventory_lock.key(one) for one in state.inventory}, mine):
        said = others[0].sentence(time.time())
        way_out = "wait for the end, or `stoker lock steal INVENTORY --reason …`"
        raise RefusedError([f"the inventory: {said}; {way_out}"])


def _take(host: Host, mine: Holder, line: Line | None) -> str | None:
    """Return why the host cannot be had; None when it is ours."""
    late = time.monotonic() + PATIENCE
    found, code = tell(host, "take", mine, line)
    while code and found is not None and found.by == DRIFT and time.monotonic() < late:
        gevent.sleep(PAUSE)
        found, code = tell(host, "take", mine, line)
    if code == 0:
        return None
    if found is not None and found.ended:
        found, code = tell(host, "steal", mine, line)
    if code == 0:
        return None
    if found is None:
        return "its lock cannot be looked at"
    return (
        f"{found.sentence(time.time())}; wait for the end, or "
        f"`stoker lock steal INVENTORY --limit {host.name} --reason …`"
    )


def tell(
    host: Host, verb: str, mine: Holder | None = None, line: Line | None = None
) -> tuple[Holder | None, int]:
    """Ask a host's lock; return its holder and the exit code. `line` is for its log of deploys."""
    wanted = json.dumps(msgspec.to_builtins(mine)) if mine is not None else "{}"
    words = [QuoteString(one) for one in (wanted, *([json.dumps(line)] if line else []))]
    command = StringCommand("python3 -", verb, hostlock.PATH, *words)
    with ctx_host.use(host):
        passed, _ = pop_global_arguments(host.state, host, {})
        known = dict(passed).items()
        arguments = {key: value for key, value in known if key in CONNECTOR_ARGUMENT_KEYS}
        arguments |= {"_stdin": SCRIPT, "_timeout": DEADLINE}
        done, output = host.run_shell_command(command, **arguments)
    held = next(iter(_holders(output.stdout_lines)), None)
    return held, 0 if done else hostlock.BUSY


def _holders(lines: list[str]) -> Iterator[Holder]:
    for line in lines:
        with suppress(TypeError, *GARBLED):
            yield holder.decode(json.loads(line))


def _beat(hosts: list[Host], mine: Holder) -> None:
    while True:
        gevent.sleep(BEAT)
        if given.release() is None:
            inventory_lock.beat(mine)
        Pool(AT_ONCE).map(lambda host: _beat_one(host, mine), hosts)


def _beat_one(host: Host, mine: Holder) -> None:
    if host in _away:
        return
    with suppress(Exception):  # a bad moment of the network; the operation says if it stays away
        _heard(host, *tell(host, "beat", mine))


@contextmanager
def away(host: Host) -> Iterator[None]:
    """Keep the lock of a host that reboots, and take it anew if it was away for too long."""
    _away.add(host)
    try:
        yield
    finally:
        _away.discard(host)
        if host.state in _held and host.connected:
            with suppress(Exception):  # then the next operation finds that the host is gone
                _heard(host, *tell(host, "take", _held[host.state]))


def _heard(host: Host, other: Holder | None, code: int) -> None:
    if code == hostlock.BUSY and other is not None:
        who = (
            other.sentence(time.time()) if other.by else "was taken away (`stoker audit`: by whom)"
        )
        _lost[host.state] = f"{host.name} {who}"


def _leave_with(host: Host, mine: Holder, beating: gevent.Greenlet, log: Log | None) -> None:
    """Give the lock back before the connection is closed."""
    connector = host.connector
    disconnect = connector.disconnect

    def leave() -> None:
        if host in _away:
            disconnect()
            return
        beating.kill(block=False)
        with suppress(Exception):  # then it expires
            tell(host, "leave", mine, log.ended(host) if log else None)
        if given.release() is None:
            inventory_lock.leave(mine)
        disconnect()

    connector.disconnect = leave  # type: ignore[method-assign]
