"""Rollback: which release, in which order, under whose lock, and where it stops."""

import argparse
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from pyinfra.api.inventory import Inventory

from agent.errors import StokerError
from agent.releases import Release
from fleet.commands import rollback
from fleet.commands.hosts import Answer, Ask
from tests.agent.test_releases import release
from tests.fleet.commands.fakes import FakeHosts, Reply, bad, gone, good

HAVE = (release(1), release(2, complete=False), release(3), release(4, current=True))
OPTIONS = argparse.Namespace(inventory="i.py", reason="slow", wait=60.0)


def day(found: dict[str, Release]) -> dict[str, int]:
    return {name: int(one.about.id[6:8]) for name, one in found.items()}


def other(one: Release, model: str) -> Release:
    about = msgspec.structs.replace(one.about, models=(model,))
    return msgspec.structs.replace(one, about=about)


def test_the_one_before_the_current_unless_another_is_named() -> None:
    found = {"a": HAVE, "b": HAVE[:1] + HAVE[2:]}
    assert day(rollback.targets(found, None)) == {"a": 3, "b": 3}
    assert day(rollback.targets(found, "20260101T000000Z")) == {"a": 1, "b": 1}


def test_an_id_that_a_host_lacks_is_answered_with_what_there_is() -> None:
    with pytest.raises(StokerError) as refused:
        rollback.targets({"a": HAVE, "b": HAVE[:1]}, "20260103")
    assert str(refused.value) == (
        "no host was touched\n  b: no release 20260103 here; there are: 20260101T000000Z-0123456789"
    )


def test_one_that_was_never_reached_or_that_is_not_the_only_one_is_refused() -> None:
    with pytest.raises(StokerError, match=r"no release 20260102 here; .*\(current\), 20260103"):
        rollback.targets({"a": HAVE}, "20260102")
    with pytest.raises(StokerError, match="3 releases 2026 here"):
        rollback.targets({"a": HAVE}, "2026")


def test_hosts_of_one_model_go_back_one_at_a_time_whatever_its_commit() -> None:
    found = {
        "a": (HAVE[2], other(HAVE[3], "o/new@1")),
        "b": (other(HAVE[2], "o/m@d"), HAVE[3]),
        "c": (other(HAVE[2], "o/x@1"), other(HAVE[3], "o/x@2")),
    }
    assert rollback.turns(found, rollback.targets(found, None)) == [["a", "c"], ["b"]]
    assert rollback.turns(found, rollback.targets(found, None), 2) == [["a", "b", "c"]]


def test_the_hooks_of_a_batch_run_and_one_that_says_no_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOKER_HOOKS", str(tmp_path))
    log = tmp_path / "log"
    for name in ("pre-batch", "post-batch"):
        (tmp_path / name).write_text(
            f'#!/bin/sh\necho "$STOKER_HOOK $STOKER_HOSTS $STOKER_BATCH $STOKER_OUTCOME" >>{log}\n'
            '[ "$STOKER_HOOK $STOKER_HOSTS" != "pre-batch b" ]\n'
        )
        (tmp_path / name).chmod(0o755)
    hosts, done = rolled(lambda _ask: good("x"))
    assert (hosts.order, [host for host, _ in done]) == (["a"], ["x"])
    assert log.read_text().splitlines() == [
        "pre-batch a 1/2 ",
        "post-batch a 1/2 done",
        "pre-batch b 2/2 ",
    ]


def rolled(reply: Callable[[Ask], Answer]) -> tuple[FakeHosts, list[tuple[str, int | None]]]:
    hosts = FakeHosts({"a": reply, "b": reply})
    found = {"a": HAVE, "b": HAVE}
    done = rollback.roll(hosts, found, rollback.targets(found, None), OPTIONS)
    return hosts, [(one.host, one.code) for one in done]


def test_under_one_lock_whose_token_no_list_of_processes_shows() -> None:
    hosts, done = rolled(lambda _ask: good("x"))
    assert hosts.held == [(("a", "b"), "rollback: slow")]
    assert [code for _, code in done] == [0, 0]
    for _, ask in hosts.asked:
        assert ask.stdin == "secret-token"
        assert "secret-token" not in ask.command
        assert " converge 20260103T000000Z-0123456789 --reason slow --by " in ask.command


def test_it_stops_at_the_first_host_that_fails_or_is_lost() -> None:
    hosts, done = rolled(lambda _ask: bad("a", 1, out="engine main: no answer"))
    assert (hosts.order, [code for _, code in done]) == (["a"], [1])
    hosts, done = rolled(lambda _ask: gone("a"))
    assert (hosts.order, [code for _, code in done]) == (["a"], [1])


def test_who_cannot_be_reached_keeps_nobody_from_going_back() -> None:
    releases = msgspec.json.encode(HAVE).decode()
    found, away = rollback.known(FakeHosts({"a": gone("a"), "b": good("b", releases)}), ["a", "b"])
    assert list(found) == ["b"]
    assert list(away) == ["a"]


RELEASES = msgspec.json.encode(HAVE).decode()
NO = "#!/bin/sh\necho not now\nexit 1\n"


def typed(directory: Path, hosts: FakeHosts, hook: str = "") -> int:
    """Return what `stoker rollback` ends with; it says what happened on standard output."""
    if hook:
        (directory / "pre-batch").write_text(hook)
        (directory / "pre-batch").chmod(0o755)
    parser = argparse.ArgumentParser()
    rollback.arguments(parser)
    options = parser.parse_args(["i.py", "--reason", "slow"])
    both = Inventory((["a", "b"], {}))
    return rollback.run(options, hosts.connect, lambda _path, _wanted: (both, ["a", "b"]))


def serves(host: str, converged: int = 0) -> Callable[[Ask], Answer]:
    return lambda ask: (
        good(host, RELEASES) if ask.command.endswith("list --json") else bad(host, converged)
    )


@pytest.mark.parametrize(
    ("a", "b", "hook", "code", "said"),
    [
        (serves("a"), serves("b"), "", 0, "rollback: done on 2 of 2 host(s)"),
        (serves("a"), serves("b"), NO, 1, "stopped; untouched: a, b"),
        (
            serves("a"),
            serves("b"),
            NO.replace("exit", '[ "$STOKER_BATCH" = 1/2 ] || exit'),
            1,
            "ed: b",
        ),
        (serves("a", 4), serves("b"), "", 1, "stopped; untouched: b"),
        (serves("a"), serves("b", 4), "", 1, "rollback: done on 1 of 2 host(s)"),
        (gone("a"), serves("b"), "", 3, "rollback: done on 1 of 2 host(s)"),
        (gone("a"), serves("b"), NO, 1, "stopped; untouched: b"),
        (gone("a"), gone("b"), "", 3, "rollback: done on 0 of 2 host(s)"),
    ],
)
def test_the_exit_code_tells_who_did_not_go_back(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    a: Reply,
    b: Reply,
    hook: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv("STOKER_HOOKS", str(tmp_path))
    assert typed(tmp_path, FakeHosts({"a": a, "b": b}), hook) == code
    assert said in "".join(capsys.readouterr())
