"""Drift of many hosts: grouped, fights named, and the exit code."""

import msgspec

from agent.drift.report import Finding, Kind, Report
from fleet.commands import drift
from fleet.commands.drift_text import fights, grouped, render
from fleet.commands.hosts import Answer
from tests.fleet.commands.fakes import bad, gone, good

FIXED = Finding(stage="gateway", operation="place nginx.conf", kind=Kind.SAFE, found="cat >x")
LEFT = Finding(stage="engine", operation="run", kind=Kind.DISRUPTIVE, left="outside drift_window")


def report(*findings: Finding, problem: str = "") -> Report:
    return Report(at=100.0, release="r", findings=findings, problem=problem)


def told(host: str, made: Report) -> Answer:
    return good(host, "some noise\n" + msgspec.json.encode(made).decode())


def made(*answers: Answer) -> drift.Document:
    return drift.document("prod.py", {one.host: one for one in answers})


def test_codes() -> None:
    assert drift.code(made(told("a", report()), told("b", report(FIXED)))) == 0
    assert drift.code(made(told("a", report(LEFT)), gone("b"))) == 2
    assert drift.code(made(told("a", report()), gone("b"))) == 3
    assert drift.code(made(told("a", report(problem="sudo broke")))) == 1
    assert drift.code(made(bad("a", 127, err="sh: not found"))) == 1


def test_a_node_that_somebody_is_at_was_not_checked() -> None:
    busy = Answer(host="a", code=0, err="not looked: ann is at this node (deploy.py)\n")
    assert made(busy).unknown == {"a": "not looked: ann is at this node (deploy.py)"}


def test_the_same_drift_is_told_once_what_was_left_first() -> None:
    found = {"a": report(FIXED), "b": report(FIXED, LEFT), "c": report()}
    assert grouped(found) == [(LEFT, ("b",)), (FIXED, ("a", "b"))]
    assert render(found, {"d": "no answer"}, 3700.0).splitlines() == [
        "left       engine | run (disruptive) [b]",
        "           outside drift_window",
        "put right  gateway | place nginx.conf (safe) [a, b]",
        "           $ cat >x",
        "? d: no answer",
        "3 host(s) checked · 1 as released · 1 with drift left · 1 not checked · oldest report 1 h "
        "ago",
    ]


def test_what_most_hosts_have_in_common_is_a_fight() -> None:
    found = {name: report(FIXED) for name in "abcdefg"} | {"h": report(), "i": report()}
    [said] = fights(found)
    assert said.startswith("gateway | place nginx.conf: the same drift on 7 of 9 hosts: another")
    assert not list(fights({"a": report(FIXED), "b": report(FIXED)}))
    half = {name: report(*([FIXED] if name in "abc" else [])) for name in "abcdef"}
    assert not list(fights(half))
