"""GPU faults told by the kernel and by NVML: stop traffic now, choose the least remedy, recover.

Of the two GPUs, by default the first is ill; the engine uses both.
"""

import pytest

from tests.e2e.faults import Node
from tests.e2e.tuned import COMPANIONS
from tests.e2e.world import wait_for
from tests.sandbox import kmsg
from tests.sandbox.nvml.state import gpu_pci

SHORT = 500  # tokens: 10 s, longer than the companion window
LONG = 2000
NONE_TO = "GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)"
TO_NONE = "GPU recovery action changed from 0x1 (GPU Reset Required) to 0x0 (None)"


def test_xid_79_cuts_streams_and_asks_for_a_reboot_which_cures_it(node: Node) -> None:
    talk = node.talk(LONG)
    node.xid(79, "GPU has fallen off the bus.")
    node.refuses(1)
    talk.is_cut(15)
    state = node.becomes("DRAINED", "Xid79GpuHasFallenOffTheBus", COMPANIONS + 20)
    assert state["goal"] == "fault"
    assert state["halted"]
    assert node.due() == ("reboot", "node", "NotArmed")
    assert node.shell("systemctl is-active stoker-engine@main", check=False) != "active"
    node.world.fleet.reboot_host(node.host)
    node.serves(90)
    assert node.closes("boot")["xid"] == 79


def test_xid_48_with_63_drains_at_once_and_wants_a_reset(node: Node) -> None:
    before = node.engine()["running_since"]
    talk = node.talk(SHORT)
    node.kernel(
        kmsg.xid(gpu_pci(0), 48, "DBE (double bit error) ECC error has occurred on GPU", None),
        kmsg.xid(gpu_pci(0), 63, "Row Remapper: New row marked for remapping", None),
    )
    node.refuses(1)
    assert node.state()["phase"] == "DRAINING"  # the look at companions holds up no drain
    talk.ends_whole(SHORT)
    node.becomes("DRAINED", "Xid48GpuEccDbe", COMPANIONS + 20)
    assert node.judged()["verdict"]["remedy"] == "reset"
    assert [one["xid"] for one in node.incidents()] == [48, 63]
    assert len({one["group"] for one in node.incidents()}) == 1
    assert node.due()[::2] == ("reset", "NotArmed")
    node.acknowledge()
    node.serves()
    assert node.engine()["running_since"] == before


def test_xid_94_of_the_engine_restarts_it_once(node: Node) -> None:
    before = node.engine()["running_since"]
    talk = node.talk(SHORT)
    node.xid(94, "Contained: CE User Channel", pid=node.pid())
    node.refuses(1)
    talk.ends_whole(SHORT)
    node.serves(since=before)
    assert node.closes("engine-proven")["ours"] is True
    assert len(node.state()["starts"]) == 1


def test_xid_119_stops_calls_to_the_gpu_and_wants_a_reset(node: Node) -> None:
    talk = node.talk(LONG)
    node.xid(119, "Timeout after 45s of waiting for RPC response from GPU0 GSP!")
    node.refuses(1)
    talk.is_cut(15)
    node.becomes("DRAINED", "Xid119GspRpcTimeout", COMPANIONS + 20)
    assert node.judged()["verdict"]["remedy"] == "reset"

    def not_called() -> bool:
        ill, well = node.status()["gpus"]["gpus"]
        return "not called" in ill["error_text"] and well["error"] is None

    wait_for("hands off the GPU", not_called, 5)
    node.acknowledge()
    node.serves()


def test_xid_154_is_obeyed_both_ways(node: Node) -> None:
    before = node.engine()["running_since"]
    talk = node.talk(SHORT)
    node.xid(154, NONE_TO)
    node.refuses(1)
    talk.ends_whole(SHORT)
    node.becomes("DRAINED", "DriverAsksGpuReset", COMPANIONS + 20)
    assert node.due()[0] == "reset"
    node.xid(154, TO_NONE)
    node.serves(30)
    assert node.incidents()[0]["closed"] == "driver-asks-nothing"
    assert node.engine()["running_since"] == before


def test_xid_31_told_twice_is_one_incident_and_one_restart(node: Node) -> None:
    before = node.engine()["running_since"]
    node.xid(31, "Ch 00000008, MMU Fault: ENGINE GRAPHICS faulted", pid=node.pid())
    node.nvml.xid(0, 31)
    node.refuses(1)
    node.serves(since=before)
    one = node.closes("engine-proven")
    assert [other["xid"] for other in node.incidents()] == [31]
    assert {told["source"] for told in one["evidence"]} == {"kernel", "nvml"}
    assert one["verdict"]["remedy"] == "restart"
    assert len(node.state()["starts"]) == 1


@pytest.mark.parametrize("also_nvml", [False, True])
def test_xid_31_of_another_process_is_nobody_elses_business(node: Node, also_nvml: bool) -> None:
    stranger = int(node.shell("systemctl show -P MainPID nginx"))
    with node.untouched(COMPANIONS + 2):
        node.xid(31, "Ch 00000008, MMU Fault: ENGINE GRAPHICS faulted", pid=stranger)
        if also_nvml:
            node.nvml.xid(0, 31)
    assert node.closes("harmless")["ours"] is False
    assert len(node.incidents()) == 1
    assert node.chat().status == 200


def test_a_gpu_of_nobody_is_not_the_engines(plain: Node) -> None:
    """A host without GPUs has no driver that could mean one of its own."""
    with plain.untouched(COMPANIONS + 2):
        plain.kernel(kmsg.xid(gpu_pci(5), 13, "Graphics Exception", pid=1))
    assert plain.chat().status == 200


def test_lost_gpu_is_out_until_a_reboot_brings_it_back(node: Node) -> None:
    talk = node.talk(LONG)
    node.nvml.lose(0)
    node.becomes("DRAINED", "GpuLost", 15)
    node.refuses(1)
    talk.is_cut(15)
    assert node.due()[0] == "reboot"
    node.nvml.clear()
    node.world.fleet.reboot_host(node.host)  # a lost GPU is called once a minute only
    node.serves(90)
    assert node.condition("GpuLost") is None


def test_silent_loss_is_seen_by_the_drivers_list(node: Node) -> None:
    talk = node.talk(LONG)
    node.nvml.remove(1)
    node.becomes("DRAINED", "GpuVanished", 15)
    talk.is_cut(15)
    node.refuses(1)
    assert node.condition("GpuMissing")
    wait_for("the engine is stopped for it", lambda: not node.engine()["running_since"], 30)
    assert node.due() == ("reboot", "node", "NotArmed")
    assert node.state()["reason"] == "GpuVanished"
    node.nvml.clear()
    node.serves()


def test_silent_loss_is_seen_on_the_bus(node: Node) -> None:
    node.pull(1)
    with node.untouched():
        missing = wait_for("a finding", lambda: node.condition("GpuMissing"), 30)
        assert "1 of 2 GPUs are on the PCI bus" in missing["message"]
    node.pull()
    wait_for("all there", lambda: node.condition("GpuMissing") is None, 30)
