import argparse

from fleet.commands import logs
from tests.fleet.commands.fakes import FakeHosts, gone, good


def options(**given: object) -> argparse.Namespace:
    none = {"agent": False, "gateway": False, "drift": False, "engine": None}
    return argparse.Namespace(**{**none, "n": 50, "since": None, "follow": False, **given})


def test_what_is_shown_of_the_journal() -> None:
    base = "journalctl --no-pager -q -o short-iso -n 50 "
    assert logs.command(options()) == base + "-u 'stoker-engine@*.service' 2>&1"
    assert logs.command(options(engine="chat")) == base + "-u stoker-engine@chat.service 2>&1"
    assert logs.command(options(agent=True, follow=True)) == (
        base + "-u stoker-agent.service --follow 2>&1"
    )


def test_lines_have_their_host_when_there_are_several_and_steer_no_terminal() -> None:
    told: list[str] = []
    hosts = FakeHosts({"a": good("a", "x\x1b[2J"), "b": gone("b")})
    assert logs.follow(hosts, ["a", "b"], "j", told.append) == 3
    assert told == ["a | x [2J"]
    assert logs.follow(hosts, ["a"], "j", told.append) == 0
    assert told[1:] == ["x [2J"]
