"""What was seen on a host in this run, and holds until something may have changed there.

An operation looks before it says "no change", and each look is a command of its own: on a host
that is as it should be, a hundred of them. `fleet.rehearsal` finds out what will be asked, and has
all of it looked at in a few commands before the first operation. From then on answers come from
here: until an operation is about to send a command to that host, when all is forgotten, or
until they are `AGE` old. What is not known here is asked of the host, as without a memo.

pyinfra keeps no answers itself. It asks by two methods of a host that this stands in for, on that
one host alone; `tests/fleet/test_memo.py` fails when pyinfra changes.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from paramiko import SSHException
from pyinfra.api import FactBase, StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.connectors.util import CommandOutput, OutputLine

from fleet.facts import together
from fleet.facts.packages import Installed
from fleet.facts.paths import PathStates
from fleet.facts.units import UnitStates

AGE = 60.0  # seconds; a batch of hosts may wait for minutes for the one before it
# The argument that lists what is asked, of facts that map each of it to an answer.
LISTS: dict[type[FactBase[Any]], str] = {
    PathStates: "paths",
    UnitStates: "names",
    Installed: "names",
}

_WHO = set(CONNECTOR_ARGUMENT_KEYS) - {"_timeout"}
Key = tuple[str, str]
Run = Callable[..., tuple[bool, CommandOutput]]
_rehearsing: ContextVar[bool] = ContextVar("rehearsing", default=False)
_of_host: WeakKeyDictionary[Host, "Memo"] = WeakKeyDictionary()


class UnansweredError(BaseException):
    """A rehearsal asks what is not known yet; it is no error that an operation could catch."""


class Memo:
    """The answers of one host; `run` and `get_fact` are the host's own, `clock` in seconds."""

    def __init__(
        self,
        run: Run,
        get_fact: Callable[..., Any],
        plain: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run, self._get_fact, self._plain, self._clock = run, get_fact, plain, clock
        self.forgotten = 0  # how often
        self._looked = float("-inf")
        self._failed: set[Key] = set()
        self._missing: dict[Key, tuple[str, dict[str, Any]]] = {}
        self._wanted: dict[type[FactBase[Any]], set[str]] = {kind: set() for kind in LISTS}
        self._answers: dict[Key, list[str]] = {}
        self._parts: dict[type[FactBase[Any]], dict[str, Any]] = {kind: {} for kind in LISTS}

    def holds(self) -> bool:
        """Say whether what was seen is young enough, if anything was."""
        return self._clock() - self._looked <= AGE

    def forget(self) -> None:
        """Know nothing any more: the host may be another from now on."""
        self.forgotten += 1
        self._looked = float("-inf")
        self._clear()

    def _clear(self) -> None:
        self._failed.clear()
        self._answers.clear()
        for parts in self._parts.values():
            parts.clear()

    def get_fact(self, kind: type[FactBase[Any]], *args: Any, **kwargs: Any) -> Any:
        """Stand in for a host's `get_fact`."""
        listed = LISTS.get(kind)
        if listed is None or args or set(kwargs) != {listed} or not self._plain():
            return self._get_fact(kind, *args, **kwargs)
        names, parts = list(kwargs[listed]), self._parts[kind]
        if self.holds() and parts.keys() >= set(names):
            return {name: parts[name] for name in names if parts[name] is not None}
        if _rehearsing.get():
            self._wanted[kind].update(names)
            raise UnansweredError
        return self._get_fact(kind, **kwargs)

    def run(
        self,
        command: StringCommand | str,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[bool, CommandOutput]:
        """Stand in for a host's `run_shell_command`."""
        raw = command.get_raw_value() if isinstance(command, StringCommand) else command
        arguments = {k: v for k, v in kwargs.items() if k in CONNECTOR_ARGUMENT_KEYS}
        key = _key(raw, arguments)
        if self.holds() and key in self._answers:
            lines = self._answers[key]
            return True, CommandOutput([OutputLine("stdout", line) for line in lines])
        if not _rehearsing.get():
            return self._run(command, *args, **kwargs)
        # What reads, or ends otherwise than others do, cannot be one of many.
        codes = arguments.get("_success_exit_codes") or [0]
        alone = arguments.get("_stdin") or arguments.get("_get_pty") or list(codes) != [0]
        if key not in self._failed and not alone:
            self._missing[key] = raw, arguments
        raise UnansweredError

    def look(self) -> bool:
        """Look at all that a rehearsal missed; say whether anything was learnt."""
        if not self.holds():
            self._clear()
            self._looked = self._clock()
        wanted = {kind: sorted(names) for kind, names in self._wanted.items() if names}
        self._wanted = {kind: set() for kind in LISTS}
        with rehearsing():
            for kind, names in wanted.items():
                self._ask(kind, names)
        missing, self._missing = self._missing, {}
        learnt = sum(self._look(keys, missing) for keys in _alike(missing))
        with rehearsing():
            for kind, names in wanted.items():
                found = self._ask(kind, names)
                self._parts[kind].update({} if found is None else {n: found.get(n) for n in names})
        self._missing = {}
        return bool(learnt)

    def _ask(self, kind: type[FactBase[Any]], names: list[str]) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._get_fact(kind, **{LISTS[kind]: names})
        except UnansweredError:
            return None
        return found

    def _look(self, keys: list[Key], missing: dict[Key, tuple[str, dict[str, Any]]]) -> int:
        mark = f"looked-{uuid4().hex}"
        whole = together.script([missing[key][0] for key in keys], mark)
        arguments = {k: v for k, v in missing[keys[0]][1].items() if k != "_timeout"}
        try:
            done, output = self._run(StringCommand("sh"), **{**arguments, "_stdin": whole})
        except (TimeoutError, OSError, EOFError, SSHException, PyinfraError):
            return 0  # nobody knows; who asks next is told why
        found = together.apart(output.stdout_lines, mark) if done else []
        answers = {k: lines for k, lines in zip(keys, found, strict=False) if lines is not None}
        self._failed.update(set(keys) - answers.keys())
        self._answers.update(answers)
        return len(answers)


def attach(host: Host) -> Memo:
    """Have `host` answer from a memo, which is empty at first."""
    if host not in _of_host:
        usual, _ = pop_global_arguments(host.state, host, {})
        memo = Memo(host.run_shell_command, host.get_fact, lambda: _plain(host, usual))
        host.run_shell_command = memo.run  # type: ignore[method-assign]
        host.get_fact = memo.get_fact  # type: ignore[assignment,method-assign]
        _of_host[host] = memo
    return _of_host[host]


def forget(hosts: Iterable[Host]) -> None:
    """Forget what is known of these hosts."""
    for host in hosts:
        if host in _of_host:
            _of_host[host].forget()


@contextmanager
def rehearsing() -> Iterator[None]:
    """Within: what is not known is noted, and raises `UnansweredError`; nothing is sent."""
    token = _rehearsing.set(True)
    try:
        yield
    finally:
        _rehearsing.reset(token)


def _key(raw: str, arguments: dict[str, Any]) -> Key:
    """How long it may take changes no answer; as whom it is asked does."""
    said = {k: v for k, v in arguments.items() if k != "_timeout"}
    return raw, repr(sorted(said.items()))


def _alike(missing: dict[Key, tuple[str, dict[str, Any]]]) -> list[list[Key]]:
    """Part the keys by as whom they are asked."""
    found: dict[str, list[Key]] = {}
    for key in missing:
        found.setdefault(key[1], []).append(key)
    return list(found.values())


def _plain(host: Host, usual: Mapping[str, Any]) -> bool:
    """Say whether the operation of now asks as whom the host's own data say."""
    now: Mapping[str, Any] | None = host.current_op_global_arguments
    return now is None or all(now.get(k) == usual.get(k) for k in _WHO)
