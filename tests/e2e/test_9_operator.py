"""What a person on call, a balancer and a dashboard get to see of a fault, as it happens."""

import json
import re
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.e2e.faults import Node
from tests.e2e.hook import Hook
from tests.e2e.world import wait_for

DRAIN = "stokerctl drain main --by tester --reason 'new fans'"


def test_why_tells_what_happened_and_the_command_that_ends_it(node: Node) -> None:
    node.xid(64, "Row Remapper: Error writing row remapping")
    node.becomes("DRAINED", "Xid64InforomDramRetirementFailure", 10)
    node.judged()
    node.due()
    told = node.shell("stokerctl why main")
    plain = " ".join(told.split())
    for part in ("main: DRAINED", "Xid 64 on GPU", "row could not be replaced", "agent_arm_reset"):
        assert part in plain, told
    command = re.search(r"stokerctl ack (\S+)", plain)
    assert command, told
    node.shell(f"stokerctl ack {command[1]} --by tester --reason 'board exchanged'")
    node.serves()
    one = node.closes("person")
    assert (one["by"], one["why"]) == ("tester", "board exchanged")
    assert '"by":"tester"' in node.shell("cat /var/lib/stoker/audit.jsonl")
    assert "board exchanged" in node.shell("stokerctl why main")


def test_ack_of_nothing_is_refused_in_a_sentence(plain: Node) -> None:
    said = plain.shell("stokerctl ack nothing --by tester --reason x 2>&1; echo =$?", check=False)
    assert "no open incident 'nothing'" in said
    assert said.endswith("=1")


def test_events_stream_the_change_of_phase(node: Node) -> None:
    with ThreadPoolExecutor() as pool:
        heard = pool.submit(lambda: list(_phases_streamed(node)))
        node.shell(DRAIN)
        wait_for("drained", lambda: node.state()["phase"] == "DRAINED", 10)
        node.undrain()
        told = heard.result(30)
    phases = [one["facts"]["to"] for one in told]
    assert phases == ["DRAINING", "DRAINED", "STARTING", "SERVING"]
    assert (told[0]["facts"]["by"], told[0]["facts"]["message"]) == ("tester", "new fans")


def test_balancer_drains_for_a_person_and_goes_down_for_a_fault(node: Node) -> None:
    assert node.balancer() == "up ready 100%"
    node.shell(DRAIN)
    assert node.balancer().startswith("up drain 100%")
    node.undrain()
    node.serves()
    node.xid(119, "Timeout after 45s of waiting for RPC response from GPU0 GSP!")
    node.refuses(1)
    assert node.balancer().startswith("down drain 100% #Xid119")
    node.judged()
    node.acknowledge()
    node.serves()


def test_webhook_tells_the_whole_story_in_order_and_signed(armed: Node, hook: Hook) -> None:
    begun, before = armed.status()["at"], armed.engine()["running_since"]
    armed.xid(64, "Row Remapper: Error writing row remapping", gpu=1)
    armed.serves(since=before)
    wait_for("the end", lambda: _phases(hook, begun)[-1:] == ["SERVING"], 15)
    told = _since(hook, begun)
    story = ["incident-opened", "incident-judged", "rung-begun", "rung-ended", "incident-closed"]
    kinds = [one["kind"] for one in told if one["kind"] in story]
    assert kinds[:3] == story[:3]
    assert sorted(kinds) == sorted(story)  # the kernel tells of the reset before its unit has ended
    assert _phases(hook, begun) == ["DRAINING", "DRAINED", "STARTING", "SERVING"]
    assert {one["node"] for one in told} == {armed.host}
    assert len({one["id"] for one in told}) == len(told)
    assert hook.forged == 0


def _phases_streamed(node: Node) -> Iterator[dict[str, Any]]:
    """Read the stream of events; give the changes of phase, the last one to SERVING."""
    url = f"http://{node.world.address(node.host)}:9750/v1/events"
    with urllib.request.urlopen(url, timeout=20) as stream:
        kind = ""
        for raw in stream:
            name, _, value = raw.decode().strip().partition(": ")
            kind = value if name == "event" else kind
            if name == "data" and kind == "phase":
                told = json.loads(value)
                yield told
                if told["facts"]["to"] == "SERVING":
                    return


def _since(hook: Hook, begun: float) -> list[dict[str, Any]]:
    return [one for one in hook.events if one["at"] > begun]


def _phases(hook: Hook, begun: float) -> list[str]:
    return [one["facts"]["to"] for one in _since(hook, begun) if one["kind"] == "phase"]
