"""Calls that change a GPU, and what a host with other hardware than the default answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.nvml.client import gpu, pci
from tests.sandbox.nvml_host import NvmlHost, nvml_host

IN_USE, MISMATCH, NOT_SUPPORTED = 19, 25, 3
UNBIND, BIND = 1, 2
REQUEST = {"create": 0x1000010, "register": 0x1000018, "wait": 0x1000020}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[NvmlHost]:
    with nvml_host(tmp_path) as running:
        yield running


def test_only_a_draining_gpu_can_be_removed_and_it_can_come_back(host: NvmlHost) -> None:
    assert host.nvml.code("nvmlDeviceRemoveGpu", pci(1)) == IN_USE
    host.nvml.call("nvmlDeviceModifyDrainState", pci(1), 1)
    assert host.nvml.call("nvmlDeviceQueryDrainState", pci(1)) == 1
    host.state.processes(1, {55: 1})
    assert host.nvml.code("nvmlDeviceRemoveGpu", pci(1)) == IN_USE
    host.state.processes(1, {})
    host.nvml.call("nvmlDeviceRemoveGpu", pci(1))
    assert host.nvml.call("nvmlDeviceGetCount") == 1
    host.nvml.call("nvmlDeviceDiscoverGpus", pci(1))
    assert host.nvml.call("nvmlDeviceGetCount") == 2


def test_library_and_helper_do_not_undo_each_other(host: NvmlHost) -> None:
    host.state.set(0, "temperature", 61)
    host.nvml.call("nvmlDeviceSetPersistenceMode", gpu(0), 0)
    host.state.set(1, "temperature", 62)
    assert host.nvml.call("nvmlDeviceGetPersistenceMode", gpu(0)) == 0
    degrees = [host.nvml.call("nvmlDeviceGetTemperature", gpu(index), 0) for index in (0, 1)]
    assert degrees == [61, 62]


def test_nvlink_of_one_link_and_of_all(host: NvmlHost) -> None:
    host.state.set(0, "nvlink.state", 1)
    host.state.set(0, "nvlink.3.state", 0)
    host.state.set(0, "nvlink.3.error.crc_flit", 7)
    host.state.set(0, "nvlink.3.remote", 1)
    states = [host.nvml.call("nvmlDeviceGetNvLinkState", gpu(0), link) for link in (0, 3, 17)]
    assert states == [1, 0, 1]
    assert host.nvml.code("nvmlDeviceGetNvLinkState", gpu(0), 18) == 2
    assert host.nvml.call("nvmlDeviceGetNvLinkErrorCounter", gpu(0), 3, 2) == 7
    remote = host.nvml.call("nvmlDeviceGetNvLinkRemotePciInfo", gpu(0), 3)
    assert remote["busId"] == "00000000:07:00.0"


def test_older_gpu_retires_pages(host: NvmlHost) -> None:
    host.state.set(0, "retired_pages.double_bit", 2)
    host.state.set(0, "retired_pages.pending", 1)
    assert len(host.nvml.call("nvmlDeviceGetRetiredPages", gpu(0), 1)) == 2
    assert host.nvml.call("nvmlDeviceGetRetiredPagesPendingStatus", gpu(0)) == 1
    fields = host.nvml.call("nvmlDeviceGetFieldValues", gpu(0), [30, 31])
    assert [field["value"]["ullVal"] for field in fields] == [2, 1]


def test_mig_hides_row_remapping(host: NvmlHost) -> None:
    host.state.set(0, "mig.current", 1)
    assert host.nvml.code("nvmlDeviceGetRemappedRows", gpu(0)) == NOT_SUPPORTED
    assert host.nvml.code("nvmlDeviceGetRowRemapperHistogram", gpu(0)) == NOT_SUPPORTED


def test_wrong_structure_version_is_refused(host: NvmlHost) -> None:
    assert host.nvml.code("nvmlDeviceGetMemoryInfo", gpu(0), 0x01000028) == MISMATCH


def test_driver_that_lets_go_of_a_gpu_and_takes_it_back(host: NvmlHost) -> None:
    system_set = {"system set": REQUEST["create"]}
    room = {"array": "c_nvmlSystemEventData_v1_t", "length": 4}

    def wait(timeout_ms: int) -> Any:
        arguments = (REQUEST["wait"], system_set, timeout_ms, room, 4)
        return host.nvml.call("nvmlSystemEventSetWait", *arguments)

    host.nvml.call("nvmlSystemRegisterEvents", REQUEST["register"], UNBIND | BIND, system_set)
    assert wait(0) == []
    host.state.system_event(1, UNBIND)
    host.state.system_event(1, BIND)
    assert wait(500) == [{"eventType": kind, "gpuId": 0x0700} for kind in (UNBIND, BIND)]
