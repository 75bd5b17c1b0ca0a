"""Event sets: Xid events reach every process that watches the GPU, soon and once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from tests.sandbox.nvml.build import build
from tests.sandbox.nvml.client import NvmlProcess, events, gpu
from tests.sandbox.nvml_host import BUILT, NvmlHost, nvml_host

XID, DOUBLE_BIT, TIMEOUT, LOST, NOT_SUPPORTED = 0x8, 0x2, 10, 15, 3
SOON_S = 0.1


@pytest.fixture
def host(tmp_path: Path) -> Iterator[NvmlHost]:
    with nvml_host(tmp_path) as running:
        yield running


def watch(nvml: NvmlProcess, index: int, types: int = XID) -> None:
    nvml.call("nvmlDeviceRegisterEvents", gpu(index), types, events())


def test_waiting_thread_gets_the_xid_soon(host: NvmlHost) -> None:
    watch(host.nvml, 0)
    delays = []
    for _ in range(5):
        waiting = host.nvml.begin("nvmlEventSetWait_v2", events(), 5000)
        assert host.nvml.call("nvmlDeviceGetTemperature", gpu(0), 0) == 35  # a wait blocks nobody
        assert not wait([waiting], 0.01).done
        start = time.monotonic()
        host.state.xid(0, 79)
        event = waiting.result(5)
        delays.append(time.monotonic() - start)
        assert (event["eventType"], event["eventData"]) == (XID, 79)
        assert (event["gpuInstanceId"], event["computeInstanceId"]) == (0xFFFFFFFF, 0xFFFFFFFF)
    assert min(delays) < SOON_S  # the least, as the machine may be busy with other things


def test_events_come_in_order_and_once(host: NvmlHost) -> None:
    watch(host.nvml, 0)
    for number in (31, 43, 79):
        host.state.xid(0, number)
    got = [host.nvml.call("nvmlEventSetWait_v2", events(), 500)["eventData"] for _ in range(3)]
    assert got == [31, 43, 79]
    assert host.nvml.code("nvmlEventSetWait_v2", events(), 0) == TIMEOUT


def test_only_what_was_registered_and_only_afterwards(host: NvmlHost) -> None:
    host.state.xid(0, 13)
    watch(host.nvml, 0)
    host.state.xid(1, 31)
    host.state.event(0, DOUBLE_BIT, 1)
    assert host.nvml.code("nvmlEventSetWait_v2", events(), 0) == TIMEOUT
    watch(host.nvml, 1)
    assert host.nvml.code("nvmlEventSetWait_v2", events(), 0) == TIMEOUT
    host.state.xid(1, 48)
    assert host.nvml.call("nvmlEventSetWait_v2", events(), 500)["eventData"] == 48


def test_gpu_added_to_a_set_brings_no_past_events(host: NvmlHost) -> None:
    watch(host.nvml, 0)
    host.state.xid(1, 31)
    watch(host.nvml, 1)
    assert host.nvml.code("nvmlEventSetWait_v2", events(), 0) == TIMEOUT


def test_every_process_gets_it(host: NvmlHost) -> None:
    other = NvmlProcess(build(BUILT), host.state.path)
    try:
        other.call("nvmlInit")
        for nvml in (host.nvml, other):
            watch(nvml, 0)
        host.state.xid(0, 94)
        for nvml in (host.nvml, other):
            assert nvml.call("nvmlEventSetWait_v2", events(), 500)["eventData"] == 94
    finally:
        other.close()


def test_timeout_is_honoured(host: NvmlHost) -> None:
    watch(host.nvml, 0)
    start = time.monotonic()
    assert host.nvml.code("nvmlEventSetWait_v2", events(), 40) == TIMEOUT
    assert 0.04 <= time.monotonic() - start < 0.5


def test_lost_gpu_spoils_the_wait_until_a_set_without_it(host: NvmlHost) -> None:
    watch(host.nvml, 0)
    watch(host.nvml, 1)
    host.state.xid(0, 79)
    host.state.lose(0)
    assert host.nvml.call("nvmlEventSetWait_v2", events(), 500)["eventData"] == 79
    start = time.monotonic()
    assert [host.nvml.code("nvmlEventSetWait_v2", events(), 5000) for _ in range(3)] == [LOST] * 3
    assert time.monotonic() - start < 1
    assert host.nvml.code("nvmlDeviceRegisterEvents", gpu(0), XID, events("new")) == LOST
    assert host.nvml.code("nvmlDeviceRegisterEvents", gpu(1), XID, events("new")) == 0
    host.state.xid(1, 48)
    assert host.nvml.call("nvmlEventSetWait_v2", events("new"), 500)["eventData"] == 48


def test_wait_under_way_ends_when_the_gpu_is_lost(host: NvmlHost) -> None:
    watch(host.nvml, 0)
    waiting = host.nvml.begin("nvmlEventSetWait_v2", events(), 10_000)
    assert not wait([waiting], 0.02).done
    host.state.lose(0)
    assert getattr(waiting.exception(5), "code", None) == LOST


def test_masks_the_real_library_takes_and_refuses(host: NvmlHost) -> None:
    register = ("nvmlDeviceRegisterEvents", gpu(0))
    assert host.nvml.code(*register, 0xFF9F, events()) == 0
    assert host.nvml.code(*register, 0x40, events()) == 0
    assert host.nvml.code(*register, 0x100000, events()) == NOT_SUPPORTED
    assert host.nvml.code("nvmlEventSetFree", events()) == 0


def test_half_written_line_waits_for_its_end(host: NvmlHost) -> None:
    watch(host.nvml, 0)
    path = host.state.path.parent / "nvml.events"
    path.write_text("1 gpu=0 type=0x8 da")
    assert host.nvml.code("nvmlEventSetWait_v2", events(), 0) == TIMEOUT
    path.write_text("1 gpu=0 type=0x8 data=63\n")
    assert host.nvml.call("nvmlEventSetWait_v2", events(), 500)["eventData"] == 63
