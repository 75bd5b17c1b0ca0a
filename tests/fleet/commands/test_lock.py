"""`stoker lock`: what is shown and asked; the lock itself is in tests/agent/test_hostlock."""

import json
import time
from collections.abc import Callable
from shlex import split

from fleet.commands import lock
from fleet.commands.hosts import Answer, Ask
from tests.fleet.commands.fakes import FakeHosts, gone, good

HELD = json.dumps(
    {"by": "ann@desk", "reason": "deploy.py", "since": time.time(), "expires": time.time() + 100}
)


def keeper(host: str, held: str) -> Callable[[Ask], Answer]:
    """A host that gives the lock away when it is stolen."""
    return lambda ask: good(host, held if ask.command.split()[2] == "show" else "")


def test_who_is_at_which_host() -> None:
    found = lock.look(
        FakeHosts({"a": good("a", HELD), "b": good("b"), "c": gone("c")}), list("abc")
    )
    assert [(one.by, bool(one.problem)) for one in found.values()] == [
        ("ann@desk", False), ("", False), ("", True),
    ]  # fmt: skip


def test_stealing_frees_what_is_held_and_leaves_the_rest_alone() -> None:
    hosts = FakeHosts({"a": keeper("a", HELD), "b": keeper("b", "")})
    found = lock.steal(hosts, ["a", "b"], "its laptop burnt")
    words = [(name, split(ask.command)) for name, ask in hosts.asked]
    assert [(name, verb[2]) for name, verb in words] == [
        ("a", "show"), ("b", "show"), ("a", "steal"), ("a", "leave"),
    ]  # fmt: skip
    written = json.loads(words[2][1][5])
    assert written["event"] == "lock-stolen"
    assert written["reason"] == "taken from ann@desk (deploy.py): its laptop burnt"
    assert json.loads(words[2][1][4])["token"] == json.loads(words[3][1][4])["token"]
    made = lock.Locks(inventory="i", of_inventory=(), hosts=found)
    assert list(lock.lines(made, stolen=True, all_of=True))[1].startswith(
        "a: freed; it was held by ann@desk since "
    )


def test_what_could_not_be_taken_is_told() -> None:
    stubborn = FakeHosts({"a": lambda ask: good("a", HELD) if "show" in ask.command else gone("a")})
    assert lock.steal(stubborn, ["a"], "x")["a"].problem
