"""Drift on a real host: every kind is found, what may be put right is, and nothing is imagined.

Checks are those that cron runs, by the command of its own entry.
"""

import json
import random
import re
import time
from collections.abc import Iterator
from functools import partial

import msgspec
import pytest

from agent.drift.report import Finding, Kind, Report
from tests.e2e.drifts import DRIFTS, NEVER, Drift
from tests.e2e.world import World, wait_for

HOST = "gpu-1"
CALM = 10  # checks of a converged host; benchmarks/drift_cost.py makes 50
KILLS = 20
WHOLE_DAY = ("--data", "drift_window=00:00-23:59", "--data", "drift_corrections_per_day=1000")


class Node:
    """One host, and the check on it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.shell = partial(world.shell, HOST, check=False, deadline=180)
        entry = self.shell("cat /etc/cron.d/stoker")
        found = re.search(r"(/opt/stoker/venvs/\w+/bin/stoker-release drift) ", entry)
        assert found, entry
        self.command = found[1]

    def check(self, *, report_only: bool = False) -> Report:
        """Run a check; its report must be what it says."""
        only = " --report-only" if report_only else ""
        said = self.shell(f"{self.command} --json{only}; echo code=$?")
        lines = said.splitlines()
        assert len(lines) >= 2, said
        report = msgspec.json.decode(lines[-2], type=Report)
        assert lines[-1] == f"code={report.code}", said
        return report

    def gateway_answers(self) -> bool:
        """Say whether a client gets through."""
        return self.world.gateway(HOST).request("GET", "/v1/models").status == 200

    def settled(self) -> None:
        """Wait until the engine serves."""
        wait_for("the engine serves", lambda: self.world.phase(HOST) == "SERVING", 90)


@pytest.fixture(scope="module")
def node(first: tuple[World, object]) -> Iterator[Node]:
    """The host with a window that is always open."""
    world = first[0]
    world.shell(HOST, "cp -a /var/lib/dpkg/status /root/dpkg-status")
    run = world.deploy("--limit", HOST, *WHOLE_DAY)
    assert run.code == 0, run.output
    one = Node(world)
    one.settled()
    yield one
    world.shell(HOST, "rm -f /etc/stoker/maintenance", check=False)
    assert world.deploy("--limit", HOST).code == 0


def about(drift: Drift, report: Report) -> list[Finding]:
    """Return the findings that are about a planted drift."""
    return [f for f in report.findings if f"{f.stage} | {f.operation}".startswith(drift.told)]


def test_a_converged_host_has_no_drift(node: Node) -> None:
    for _ in range(CALM):
        report = node.check()
        assert (report.problem, report.findings) == ("", ())


def test_there_are_enough_of_them() -> None:
    assert len(DRIFTS) >= 40
    assert {one.kind for one in DRIFTS} == set(Kind)


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda one: f"{one.told}: {one.plant[:30]}")
def test_each_is_found_and_treated_by_its_kind(node: Node, drift: Drift) -> None:
    node.shell(drift.plant)
    try:
        report = node.check()
        assert not report.problem
        [found] = about(drift, report)
        assert found.kind is drift.kind
        if drift.kind is NEVER:
            assert found.left.startswith("a person puts this right")
        else:
            assert bool(found.left) is bool(drift.heal)
    finally:
        if drift.heal:
            node.shell(drift.heal)


def test_after_each_the_host_is_converged(node: Node) -> None:
    node.settled()
    assert node.check().findings == ()


def test_all_at_once(node: Node) -> None:
    planted = [one for one in DRIFTS if not one.alone]
    for one in planted:
        node.shell(one.plant)
    try:
        report = node.check()
        missed = [one.told for one in planted if not about(one, report)]
        assert not missed
        for one in planted:
            [found] = about(one, report)
            assert bool(found.left) is bool(one.heal), found
    finally:
        for one in planted:
            node.shell(one.heal or "true")
    node.settled()
    assert node.check().findings == ()


def test_outside_of_the_window_engines_stay(node: Node) -> None:
    [drift] = [one for one in DRIFTS if one.told.startswith("engine")]
    before = node.shell("docker inspect -f '{{.Id}}' stoker-main")
    node.shell(drift.plant)
    [found] = about(drift, node.check(report_only=True))
    assert found.left == "drift_mode is report: nothing is put right"
    assert node.shell("docker inspect -f '{{.Id}}' stoker-main") == before
    [found] = about(drift, node.check())
    assert not found.left
    node.settled()
    assert node.shell("docker inspect -f '{{.Id}}' stoker-main") != before


def test_the_agent_tells_what_is_left(node: Node) -> None:
    [drift] = [one for one in DRIFTS if "nginx.service is changed" in one.told]
    node.shell(drift.plant)
    try:
        node.check()
        shown = wait_for("the agent shows it", lambda: node.world.status(HOST)["drift"]["left"], 10)
        assert shown[0]["what"] == drift.told
        metrics = node.shell("curl -s http://127.0.0.1:9750/metrics")
        assert 'stoker_drift_left{kind="never"} 1.0' in metrics
        assert node.world.phase(HOST) == "SERVING"
    finally:
        node.shell(drift.heal)
    node.check()
    wait_for("it is gone", lambda: node.world.status(HOST)["drift"]["left"] == [], 10)


def test_maintenance_keeps_a_node_as_it_is(node: Node) -> None:
    node.shell("stokerctl maintenance on --reason 'new fans' --by mia --for 2h")
    node.shell("chmod 666 /etc/stoker/nginx.conf")
    report = node.check()
    assert "new fans (mia" in report.findings[0].left
    assert "new fans" in node.world.status(HOST)["drift"]["maintenance"]
    expired = {"by": "mia", "reason": "r", "since": 1.0, "until": time.time() - 1}
    node.shell(f"echo '{json.dumps(expired)}' >/etc/stoker/maintenance")
    assert [one.left for one in node.check().findings] == ["", ""][: len(report.findings)]
    assert "is off" in node.shell("stokerctl maintenance off")
    assert node.check().findings == ()


def test_a_check_that_is_killed_leaves_a_host_that_the_next_one_converges(node: Node) -> None:
    chance = random.Random(6)
    for _ in range(KILLS):
        node.shell("echo '# x' >>/etc/stoker/nginx.conf; rm -f /etc/cron.d/stoker")
        node.shell("chmod 777 /etc/docker")
        unit = "systemd-run -q --unit=killed --collect"
        node.shell(
            f"{unit} {node.command}; sleep {chance.uniform(0.2, 6):.2f}; "
            "systemctl kill -s KILL killed; systemctl reset-failed killed"
        )
        assert node.gateway_answers()
    report = node.check()
    assert not report.problem
    assert not report.left
    assert node.check().findings == ()
