"""A driver that does not answer shows nothing: traffic goes on, a person is told. And resets."""

import time
from statistics import median

from tests.e2e.faults import Node
from tests.e2e.world import wait_for

TOKENS = 200  # 4 s
MISMATCH = 18  # nvml.h: NVML_ERROR_LIB_RM_VERSION_MISMATCH
RESET = 1  # nvml.h: NVML_GPU_RECOVERY_ACTION_GPU_RESET


def test_hung_driver_is_told_within_five_seconds_and_stops_nothing(node: Node) -> None:
    with node.untouched():
        talk = node.talk(TOKENS)
        node.nvml.hang("nvmlDeviceGetCount")
        wait_for("told", lambda: node.condition("DriverHung"), 10)
        took = [_seconds(node, "/v1/status") for _ in range(50)]
        assert median(took) < 0.05
        assert max(took) < 1
        assert node.chat().status == 200
        node.nvml.release("nvmlDeviceGetCount")
        wait_for("it is over", lambda: node.condition("DriverHung") is None, 30)
        talk.ends_whole(TOKENS)


def test_replaced_driver_is_told_and_stops_nothing(node: Node) -> None:
    with node.untouched():
        talk = node.talk(TOKENS)
        node.nvml.inject_return("*", MISMATCH)
        told = wait_for("told", lambda: node.condition("DriverMismatch"), 10)
        assert "replaced" in told["message"]
        assert node.chat().status == 200
        node.nvml.inject_return("*", 0)
        wait_for("it is over", lambda: node.condition("DriverMismatch") is None, 20)
        talk.ends_whole(TOKENS)


def test_a_reset_the_driver_asks_for_is_done_once_and_cures(armed: Node) -> None:
    before = armed.engine()["running_since"]
    talk = armed.talk(TOKENS)
    armed.nvml.set(0, "recovery_action", RESET)
    armed.refuses(3)
    assert armed.state()["reason"] == "DriverWantsReset"
    talk.ends_whole(TOKENS)
    armed.serves(since=before)
    assert _attempts(armed) == [("reset", "done")]
    assert "recovery_action" not in "".join(armed.nvml.read())


def test_xid_64_is_reset_when_no_engine_runs(armed: Node) -> None:
    before = armed.engine()["running_since"]
    armed.xid(64, "Row Remapper: Error writing row remapping", gpu=1)
    armed.refuses(1)
    armed.serves(since=before)
    assert _attempts(armed) == [("reset", "done")]
    assert armed.closes("reset-seen")["xid"] == 64


def test_failed_reset_is_not_repeated_and_the_next_rung_is_advised(armed: Node) -> None:
    armed.nvml.processes(0, {4242: 1 << 30})  # a stranger's, which only a person may end
    armed.nvml.set(0, "recovery_action", RESET)
    wait_for("it failed", lambda: _attempts(armed) == [("reset", "failed")], 30)
    assert armed.due() == ("reboot", "node", "NotArmed")
    time.sleep(3)
    assert _attempts(armed) == [("reset", "failed")]
    assert armed.state()["phase"] == "DRAINED"
    told = armed.status()["attempts"][0]["message"].partition("its journal says why: ")[2]
    assert "used by one or more other processes" in armed.shell(f"{told} --no-pager")


def test_no_reset_while_the_operator_forbids_it(armed: Node) -> None:
    armed.shell("touch /etc/stoker/inhibit")
    armed.nvml.set(0, "recovery_action", RESET)
    wait_for("it waits", lambda: armed.due()[2] == "Inhibited", 20)
    assert _attempts(armed) == []
    armed.shell("rm /etc/stoker/inhibit")
    armed.serves()
    assert _attempts(armed) == [("reset", "done")]


def _attempts(node: Node) -> list[tuple[str, str]]:
    return [(one["rung"], one["outcome"]) for one in node.status()["attempts"]]


def _seconds(node: Node, path: str) -> float:
    begun = time.monotonic()
    assert node.get(path)[0] == 200
    return time.monotonic() - begun
