"""What was seen holds until something may have changed; then the host is asked again."""

import subprocess
from typing import Any

import pytest
from pyinfra.api import StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine

from fleet import memo
from fleet.facts.paths import PathStates, Text

ROOT = {"_sudo": True, "_success_exit_codes": [0]}  # as pyinfra has them


class Host:
    """Runs commands here, and remembers them; asks facts as pyinfra does."""

    def __init__(self) -> None:
        self.now, self.ran = 0.0, list[str]()
        self.memo = memo.Memo(self.run, self.fact, clock=lambda: self.now)

    def run(self, command: StringCommand | str, **arguments: Any) -> tuple[bool, CommandOutput]:
        raw = command.get_raw_value() if isinstance(command, StringCommand) else command
        self.ran.append(raw)
        done = subprocess.run(
            ["sh", "-c", raw],
            input=arguments.get("_stdin", ""),
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [OutputLine("stdout", line) for line in done.stdout.split("\n")[:-1]]
        return done.returncode == 0, CommandOutput(lines)

    def fact(self, kind: Any, **arguments: Any) -> Any:
        fact = kind()
        done, output = self.memo.run(fact.command(**arguments), **ROOT)
        return fact.process(output.stdout_lines) if done else fact.default()


@pytest.fixture
def host() -> Host:
    return Host()


def rehearse(host: Host, *asked: tuple[Any, dict[str, Any]]) -> None:
    for _ in range(3):
        with memo.rehearsing():
            for kind, arguments in asked:
                try:
                    host.memo.get_fact(kind, **arguments)
                except memo.UnansweredError:
                    continue
        if not host.memo.look():
            return


def test_a_rehearsal_sends_nothing_by_itself(host: Host) -> None:
    with memo.rehearsing(), pytest.raises(memo.UnansweredError):
        host.memo.get_fact(Text, path="/etc/hostname")
    assert host.ran == []


def test_all_that_was_missed_is_looked_at_in_one_command(host: Host) -> None:
    asked: list[tuple[Any, dict[str, Any]]] = [
        (Text, {"path": "/etc/hostname"}),
        (Text, {"path": "/etc/hosts"}),
    ]
    asked += [(PathStates, {"paths": [path]}) for path in ("/etc", "/nowhere", "/etc/hostname")]
    rehearse(host, *asked)
    assert len(host.ran) == 1
    for kind, arguments in asked:
        assert host.memo.get_fact(kind, **arguments) == Host().fact(kind, **arguments)
    assert len(host.ran) == 1


def test_what_is_not_there_is_known_too(host: Host) -> None:
    rehearse(host, (PathStates, {"paths": ["/nowhere", "/none"]}))
    assert host.memo.get_fact(PathStates, paths=["/nowhere"]) == {}
    assert len(host.ran) == 1


def test_what_was_forgotten_is_asked_again(host: Host) -> None:
    rehearse(host, (PathStates, {"paths": ["/etc"]}), (Text, {"path": "/etc/hostname"}))
    host.memo.forget()
    host.memo.get_fact(PathStates, paths=["/etc"])
    host.memo.get_fact(Text, path="/etc/hostname")
    host.memo.get_fact(Text, path="/etc/hostname")
    assert len(host.ran) == 4


def test_what_is_old_is_asked_again(host: Host) -> None:
    rehearse(host, (PathStates, {"paths": ["/etc"]}), (Text, {"path": "/etc/hostname"}))
    host.now = memo.AGE
    host.memo.get_fact(Text, path="/etc/hostname")
    assert len(host.ran) == 1
    host.now += 0.1
    host.memo.get_fact(Text, path="/etc/hostname")
    host.memo.get_fact(PathStates, paths=["/etc"])
    assert len(host.ran) == 3


def test_another_look_does_not_make_an_old_answer_young(host: Host) -> None:
    rehearse(host, (Text, {"path": "/etc/hostname"}))
    host.now = memo.AGE + 1
    rehearse(host, (Text, {"path": "/etc/hosts"}))
    host.memo.get_fact(Text, path="/etc/hostname")
    assert len(host.ran) == 3


def test_what_was_forgotten_stays_so_when_other_things_are_seen(host: Host) -> None:
    rehearse(host, (PathStates, {"paths": ["/etc"]}))
    host.memo.forget()
    rehearse(host, (PathStates, {"paths": ["/usr"]}))
    host.memo.get_fact(PathStates, paths=["/etc"])
    assert len(host.ran) == 3


def test_who_asks_as_somebody_else_gets_no_answer_of_root(host: Host) -> None:
    rehearse(host, (Text, {"path": "/etc/hostname"}))
    command = Text().command(path="/etc/hostname")
    host.memo.run(command, **ROOT, _timeout=5)
    assert len(host.ran) == 1
    host.memo.run(command, **ROOT, _sudo_user="nobody")
    assert len(host.ran) == 2


def test_a_look_that_failed_is_asked_for_when_it_is_due(host: Host) -> None:
    with memo.rehearsing(), pytest.raises(memo.UnansweredError):
        host.memo.run("exit 3", **ROOT)
    assert not host.memo.look()
    assert host.memo.run("exit 3", **ROOT)[0] is False
    assert len(host.ran) == 2


def test_a_look_that_reads_is_made_when_it_is_due(host: Host) -> None:
    with memo.rehearsing(), pytest.raises(memo.UnansweredError):
        host.memo.run("cat", **ROOT, _stdin="said")
    assert not host.memo.look()
    assert host.ran == []


def test_what_others_send_meanwhile_is_sent(host: Host) -> None:
    """A heartbeat beats in a greenlet of its own while this one rehearses."""
    import contextvars  # noqa: PLC0415

    elsewhere = contextvars.copy_context()
    with memo.rehearsing():
        elsewhere.run(host.memo.run, "echo beat", **ROOT)
    assert host.ran == ["echo beat"]
