"""The plan in words."""

import re

import pytest
from msgspec.structs import replace

from fleet.disruption import Disruption
from fleet.plan import document, text
from fleet.plan.document import HostPlan, StagePlan
from fleet.plan.hosts import host
from fleet.plan.seen import NOT_ASKED
from tests.fleet.plan.samples import given
from tests.fleet.samples import spec

ENGINES = {
    name: {"gpus": 1, "port": port, "quantize": "fp8", "served_name": name}
    for port, name in enumerate(("a", "b", "c", "d", "e", "f", "g"), 8080)
}
HOST = host(
    spec(driver_gpu_count=8, driver_gpu_type="H200", engines=ENGINES), NOT_ASKED, [], given()
)
STAGE = StagePlan(
    stage="runtime",
    disruption=Disruption.NONE,
    changes=("merge /etc/docker/daemon.json",),
    follows=("run Docker with this",),
)
QUIET = replace(HOST, engines=(), downloads=(), warnings=(), contact="looked at", stages=())


def render(*hosts: HostPlan, width: int = 100) -> str:
    return text.render(document.plan("inventory/x.py", hosts, offline=False), width)


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_is_wider_than_asked(width: int) -> None:
    refused = replace(HOST, problems=("word " * 60,))
    lines = render(HOST, refused, width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if line != line.rstrip()]


def test_every_engine_is_in_a_table() -> None:
    names = [word for line in render(HOST).splitlines() if "GiB of each" in line
             for word in line.split()[4:]]  # fmt: skip
    assert names == list(ENGINES)


def test_the_parts_of_a_gpu_sum_up_to_all_of_it() -> None:
    rows = {
        line[2:20].strip(): [float(number) for number in line[20:].split()]
        for line in render(HOST).split("\n\n")[2].splitlines()[2:]
        if re.fullmatch(r"[\d. ]+", line[20:])
    }
    parts = [rows[name] for name in rows if name not in {"all", "give or take", "requests at once"}]
    assert len(parts) == 8
    for column, total in enumerate(rows["all"]):
        assert sum(row[column] for row in parts) == pytest.approx(total, abs=0.05)


def test_hosts_that_are_alike_are_told_once() -> None:
    found = render(replace(HOST, name="a"), replace(QUIET, name="b"), replace(HOST, name="c"))
    assert [line for line in found.splitlines() if line.endswith("(declared)")] == [
        "a, c: 8 × H200 (declared)",
        "b: 8 × H200 (declared)",
    ]


@pytest.mark.parametrize(
    ("disruption", "line"),
    [
        (Disruption.NONE, ""),
        (Disruption.RESTART, "[restart] "),
        (Disruption.REBOOT, "[may reboot] "),
    ],
)
def test_a_stage_is_one_line(disruption: Disruption, line: str) -> None:
    stage = replace(STAGE, disruption=disruption)
    assert (
        f"  runtime     {line}merge /etc/docker/daemon.json (then: run Docker with this)\n"
    ) in render(replace(QUIET, stages=(stage,)))


@pytest.mark.parametrize(
    ("host", "verdict", "end"),
    [
        (QUIET, "nothing", "nothing to do (1 host(s): 0 with changes)"),
        (
            replace(QUIET, stages=(STAGE,)),
            "changes",
            "a deploy would change hosts (1 host(s): 1 with changes)",
        ),
        (
            replace(QUIET, stages=None),
            "changes",
            "what a deploy would change is not known (1 host(s): 1 not known)",
        ),
        (
            replace(QUIET, problems=("no",)),
            "refused",
            "refused: as long as it is so, a deploy changes no host (1 host(s): 0 with changes, 1 "
            "refused)",
        ),
    ],
)
def test_the_last_line_is_the_verdict(host: HostPlan, verdict: str, end: str) -> None:
    plan = document.plan("x", (host,), offline=False)
    assert plan.verdict == verdict
    assert text.render(plan, 120).splitlines()[-1] == end


def test_what_is_wrong_with_the_inventory_refuses_it() -> None:
    plan = document.plan("x", (), ("h1: agent_port = 0",), offline=False)
    assert plan.verdict == "refused"
    assert "refused: h1: agent_port = 0" in text.render(plan, 100)
