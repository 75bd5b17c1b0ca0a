"""Drain, undrain, restart: who is asked, in which order, and when it stops."""

import argparse

import pytest

from agent.model import Verb
from fleet.command import WrongUseError
from fleet.commands import requests
from fleet.commands.hosts import Answer, Ask
from fleet.commands.outcome import Outcome
from tests.fleet.commands.fakes import FakeHosts, bad, gone, good

SERVES = {"a": {"m"}, "b": {"m"}, "c": {"n"}}


def options(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**{"engine": None, "reason": "a fan", "wait": 0.0, **given})


def test_what_a_host_runs() -> None:
    made = requests.command(Verb.DRAIN, options(engine="main", reason="it's hot", wait=60.0))
    assert made.startswith("/usr/local/bin/stokerctl drain main --reason 'it'\"'\"'s hot' --by ")
    assert made.endswith(" --wait 60")


def test_a_restart_goes_over_hosts_of_one_model_one_at_a_time() -> None:
    assert requests.turns(SERVES, ["a", "b", "c"]) == [["a", "c"], ["b"]]


def test_a_restart_stops_at_the_first_host_that_does_not_come_back() -> None:
    hosts = FakeHosts({"a": bad("a", 3, err="main: STARTING"), "b": good("b"), "c": good("c")})
    told: list[str] = []
    found = requests.one_by_one(
        hosts, requests.turns(SERVES, list(SERVES)), Ask(command="x"), told.append
    )
    assert hosts.order == ["a", "c"]
    made = Outcome(inventory="i", asked="restart", hosts=tuple(found), untouched=("b",))
    assert made.code == 3
    assert told == ["now a, c (1 of 2)", "! a: main: STARTING", "c: done"]


def test_codes() -> None:
    def code(*answers: Answer) -> int:
        hosts = FakeHosts({one.host: one for one in answers})
        names = [one.host for one in answers]
        found = requests.one_by_one(hosts, [names], Ask(command="x"), lambda _line: None)
        return Outcome(inventory="i", asked="drain", hosts=tuple(found)).code

    assert code(good("a"), good("b")) == 0
    assert code(good("a"), bad("b", 1)) == 1
    assert code(bad("a", 1), gone("b")) == 3
    assert code(bad("a", 127, err="sh: not found")) == 1


def test_nobody_drains_the_last_host_of_a_model_by_a_pattern() -> None:
    with pytest.raises(WrongUseError, match="a, b are all that serve m"):
        requests.refuse_outage(SERVES, ["a", "b"])
    requests.refuse_outage(SERVES, ["a", "c"])  # c alone serves n: who names it means it
