"""The agent killed in every phase: what it knew stands, the gate is right, nothing starts twice."""

import json
from typing import Any

from tests.e2e.faults import Node
from tests.e2e.tuned import COMPANIONS
from tests.e2e.world import wait_for

TOKENS = 220  # 4.4 s: longer than the agent needs to come back
LONGER = 600  # 12 s: less than the deadline of a drain here
DRAIN = "stokerctl drain main --by tester --reason 'new fans'"


def test_daemon_reload_under_a_stream_is_nothing(node: Node) -> None:
    with node.untouched():
        talk = node.talk(TOKENS)
        node.shell("systemctl daemon-reload")
        assert node.chat().status == 200
        talk.ends_whole(TOKENS)


def test_killed_while_serving(node: Node) -> None:
    with node.untouched():
        talk = node.talk(TOKENS)
        _kill(node)
        assert node.chat().status == 200
        _back(node)
        talk.ends_whole(TOKENS)


def test_killed_while_starting(plain: Node) -> None:
    before = plain.engine()["running_since"]
    plain.next_start(load_seconds=30.0)
    plain.sim("crash")
    wait_for("a start", lambda: plain.engine()["running_since"] not in {None, before}, 30)
    assert plain.state()["phase"] == "STARTING"
    started = plain.engine()["running_since"]
    _kill(plain)
    assert plain.chat().status == 503
    _back(plain)
    assert plain.state()["phase"] == "STARTING"
    plain.serves(90)
    assert plain.engine()["running_since"] == started
    assert len(plain.state()["starts"]) == 1


def test_killed_while_draining_for_a_person(node: Node) -> None:
    talk = node.talk(LONGER)
    node.shell(DRAIN)
    assert node.state()["phase"] == "DRAINING"
    _kill(node)
    assert node.chat().status == 503
    _back(node)
    state = node.becomes("DRAINED", "Drained", 30)
    assert (state["by"], state["goal"]) == ("tester", "maintenance")
    talk.ends_whole(LONGER)
    assert node.balancer().startswith("up drain 100%")
    _stays(node)
    node.undrain()
    node.serves()


def test_killed_before_the_company_of_a_fault_is_known(node: Node) -> None:
    before = node.engine()["running_since"]
    talk = node.talk(TOKENS)
    node.xid(48, "DBE (double bit error) ECC error has occurred on GPU")
    node.refuses(1)
    _kill(node)
    assert node.chat().status == 503
    _back(node)
    talk.ends_whole(TOKENS)
    state = node.becomes("DRAINED", "Xid48GpuEccDbe", COMPANIONS + 20)
    assert state["by"] == "agent"
    assert node.judged()["verdict"]["remedy"] == "reset"
    node.acknowledge()
    node.serves()
    assert node.engine()["running_since"] == before


def test_killed_while_drained_for_a_fault(node: Node) -> None:
    node.xid(119, "Timeout after 45s of waiting for RPC response from GPU0 GSP!")
    node.becomes("DRAINED", "Xid119GspRpcTimeout", 5)
    verdict = node.judged()["verdict"]["message"]
    wait_for("the engine is stopped for it", lambda: not node.engine()["running_since"], 30)
    wait_for("its state tells the verdict", lambda: node.state()["message"] == verdict, 30)
    _stays(node)
    assert [one["xid"] for one in node.incidents()] == [119]
    assert node.due()[::2] == ("reset", "NotArmed")
    assert node.balancer().startswith("down drain 100%")
    node.acknowledge()
    node.serves()


def test_killed_while_quarantined(plain: Node) -> None:
    plain.next_start(start="exit", exit_code=2)
    plain.sim("crash")
    plain.becomes("QUARANTINED", "BadFlag", 60)
    _stays(plain)
    plain.shell("rm /var/lib/stoker/models/*/*/sim-faults.json")
    plain.undrain()
    plain.serves()


def _stays(node: Node) -> None:
    """Hold that a killed agent finds everything as it was, and leaves it so for some ticks."""
    before, starts, seen = _known(node), _starts(node), node.status()["at"]
    _kill(node)
    assert node.chat().status == 503
    _back(node)
    wait_for("some ticks", lambda: node.status()["at"] > seen + 3, 15)
    assert (_known(node), _starts(node)) == (before, starts)
    node.refuses()


def _known(node: Node) -> tuple[dict[str, Any], list[str]]:
    return node.state(), [one["id"] for one in node.status()["incidents"]]


def _starts(node: Node) -> int:
    lines = map(json.loads, node.shell("cat /var/lib/stoker/audit.jsonl").splitlines())
    return sum(bool(one.get("start")) for one in lines)


def _kill(node: Node) -> None:
    node.shell("systemctl kill -s KILL stoker-agent")


def _back(node: Node) -> None:
    wait_for("the agent is back", lambda: node.get("/livez")[0] == 200, 20)
