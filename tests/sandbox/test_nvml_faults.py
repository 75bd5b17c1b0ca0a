"""Faults injected through the state file, while a process uses the library."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from tests.sandbox.nvml.client import CallError, gpu
from tests.sandbox.nvml_host import NvmlHost, nvml_host

UNKNOWN, LOST, RESET_REQUIRED, MISMATCH, NOT_LOADED = 999, 15, 16, 18, 9
NOT_YET_S = 0.03


@pytest.fixture
def host(tmp_path: Path) -> Iterator[NvmlHost]:
    with nvml_host(tmp_path) as running:
        yield running


@pytest.mark.parametrize("code", [MISMATCH, NOT_LOADED, UNKNOWN])
@pytest.mark.parametrize("name", ["nvmlInit_v2", "nvmlInit", "nvmlInitWithFlags", "*"])
def test_init_fails_as_told(tmp_path: Path, name: str, code: int) -> None:
    with nvml_host(tmp_path, started=False, **{f"return.{name}": code}) as host:
        assert host.nvml.code("nvmlInit") == code
        host.state.unset(None, f"return.{name}")
        assert host.nvml.code("nvmlInit") == 0


def test_no_state_file_means_no_driver(host: NvmlHost) -> None:
    host.state.path.unlink()
    assert host.nvml.code("nvmlDeviceGetCount") == NOT_LOADED


def test_return_code_for_one_gpu_and_for_all(host: NvmlHost) -> None:
    temperature = "nvmlDeviceGetTemperature"
    host.state.inject_return(temperature, UNKNOWN, gpu=0)
    assert host.nvml.code(temperature, gpu(0), 0) == UNKNOWN
    assert host.nvml.code(temperature, gpu(1), 0) == 0
    assert host.nvml.code("nvmlDeviceGetName", gpu(0)) == 0
    host.state.inject_return(temperature, LOST)
    host.state.inject_return(temperature, 0, gpu=0)
    assert [host.nvml.code(temperature, gpu(index), 0) for index in (0, 1)] == [LOST, LOST]
    host.state.clear()
    assert [host.nvml.code(temperature, gpu(index), 0) for index in (0, 1)] == [0, 0]


def test_driver_upgraded_under_a_running_process(host: NvmlHost) -> None:
    host.nvml.call("nvmlDeviceGetName", gpu(0))
    host.state.inject_return("*", MISMATCH)
    assert host.nvml.code("nvmlDeviceGetCount") == MISMATCH
    assert host.nvml.code("nvmlDeviceGetName", gpu(0)) == MISMATCH


def test_change_shows_at_once(host: NvmlHost) -> None:
    for degrees in range(40, 60):
        host.state.set(0, "temperature", degrees)
        assert host.nvml.call("nvmlDeviceGetTemperature", gpu(0), 0) == degrees
        assert host.nvml.call("nvmlDeviceGetMarginTemperature", gpu(0)) == 87 - degrees
    assert host.nvml.call("nvmlDeviceGetTemperature", gpu(1), 0) == 35


def test_field_value_and_its_code(host: NvmlHost) -> None:
    def recovery_action() -> tuple[int, int]:
        (field,) = host.nvml.call("nvmlDeviceGetFieldValues", gpu(0), [230])
        return field["nvmlReturn"], field["value"]["uiVal"]

    assert recovery_action() == (0, 0)
    host.state.set(0, "recovery_action", 2)
    assert recovery_action() == (0, 2)
    host.state.set(0, "field.230", 1)
    assert recovery_action() == (0, 1)
    host.state.set(0, "field.230", "not_supported")
    assert recovery_action()[0] == 3
    host.state.set(0, "field.230.return", UNKNOWN)
    assert recovery_action()[0] == UNKNOWN


def test_ecc_total_is_the_sum_and_the_field_agrees(host: NvmlHost) -> None:
    host.state.set(0, "ecc.volatile.uncorrected.dram", 2)
    host.state.set(0, "ecc.volatile.uncorrected.sram", 3)
    assert host.nvml.call("nvmlDeviceGetTotalEccErrors", gpu(0), 1, 0) == 5
    (field,) = host.nvml.call("nvmlDeviceGetFieldValues", gpu(0), [4])
    assert field["value"]["ullVal"] == 5
    host.state.set(0, "ecc.current", 0)
    assert host.nvml.code("nvmlDeviceGetTotalEccErrors", gpu(0), 1, 0) == 3


def test_processes_and_their_memory(host: NvmlHost) -> None:
    host.state.processes(0, {101: 1 << 30, 102: 2 << 30})
    listed = host.nvml.call("nvmlDeviceGetComputeRunningProcesses", gpu(0))
    assert {(p["pid"], p["usedGpuMemory"]) for p in listed} == {(101, 1 << 30), (102, 2 << 30)}
    assert {p["gpuInstanceId"] for p in listed} == {0xFFFFFFFF}
    assert host.nvml.call("nvmlDeviceGetMemoryInfo", gpu(0), 0x02000028)["used"] == 3 << 30


def test_lost_gpu_fails_and_the_other_works(host: NvmlHost) -> None:
    host.nvml.call("nvmlDeviceGetName", gpu(0))
    host.state.lose(0)
    for call in ("nvmlDeviceGetName", "nvmlDeviceGetUUID", "nvmlDeviceGetPowerUsage"):
        assert host.nvml.code(call, gpu(0)) == LOST
    assert host.nvml.code("nvmlDeviceGetHandleByIndex", 0) == LOST
    assert host.nvml.call("nvmlDeviceGetCount") == 2
    assert host.nvml.code("nvmlDeviceGetName", gpu(1)) == 0


def test_reset_required_leaves_identity_and_recovery_action(host: NvmlHost) -> None:
    host.state.require_reset(0)
    assert host.nvml.code("nvmlDeviceGetPowerUsage", gpu(0)) == RESET_REQUIRED
    assert host.nvml.code("nvmlDeviceGetUUID", gpu(0)) == 0
    fields = host.nvml.call("nvmlDeviceGetFieldValues", gpu(0), [230, 82])
    assert [(f["nvmlReturn"], f["value"]["uiVal"]) for f in fields] == [(0, 1), (RESET_REQUIRED, 0)]


def test_absent_gpu_is_silently_gone(host: NvmlHost) -> None:
    second = host.nvml.call("nvmlDeviceGetUUID", gpu(1))
    host.state.remove(0)
    assert host.nvml.call("nvmlDeviceGetCount") == 1
    assert host.nvml.code("nvmlDeviceGetHandleByIndex", 1) == 2
    assert host.nvml.call("nvmlDeviceGetUUID", gpu(0)) == second  # the first index now


def test_hanging_call_holds_nobody_else_and_is_released(host: NvmlHost) -> None:
    host.state.hang("nvmlDeviceGetUtilizationRates", gpu=0)
    hanging = host.nvml.begin("nvmlDeviceGetUtilizationRates", gpu(0))
    assert host.nvml.call("nvmlDeviceGetUtilizationRates", gpu(1)) == {"gpu": 0, "memory": 0}
    assert host.nvml.call("nvmlDeviceGetTemperature", gpu(0), 0) == 35
    assert not wait([hanging], NOT_YET_S).done
    host.state.release("nvmlDeviceGetUtilizationRates", gpu=0)
    assert hanging.result(5) == {"gpu": 0, "memory": 0}


def test_hang_can_end_in_an_error(host: NvmlHost) -> None:
    host.state.hang("nvmlDeviceGetName", gpu=0)
    hanging = host.nvml.begin("nvmlDeviceGetName", gpu(0))
    assert not wait([hanging], NOT_YET_S).done
    host.state.lose(0)
    host.state.release("nvmlDeviceGetName", gpu=0)
    with pytest.raises(CallError, match="answered 15"):
        hanging.result(5)


def test_hanging_init(tmp_path: Path) -> None:
    with nvml_host(tmp_path, started=False, **{"hang.nvmlInit_v2": 1}) as host:
        hanging = host.nvml.begin("nvmlInit")
        assert not wait([hanging], NOT_YET_S).done
        host.state.release("nvmlInit_v2")
        assert hanging.result(5) is None


def test_process_that_hangs_for_good_still_dies_by_kill(host: NvmlHost) -> None:
    host.state.hang("nvmlDeviceGetName", gpu=0, uninterruptible=True)
    hanging = host.nvml.begin("nvmlDeviceGetName", gpu(0))
    assert not wait([hanging], NOT_YET_S).done
    host.nvml.process.kill()
    assert host.nvml.process.wait(5) == -9


def test_delay(host: NvmlHost) -> None:
    host.state.delay("nvmlDeviceGetUtilizationRates", 30, gpu=0)
    start = time.monotonic()
    host.nvml.call("nvmlDeviceGetUtilizationRates", gpu(0))
    assert time.monotonic() - start >= 0.03


def test_two_threads_see_whole_states(host: NvmlHost) -> None:
    """One reading never mixes two states: memory follows gpu by one write at most."""
    readings = []
    for round_number in range(50):
        host.state.set(0, "utilization.gpu", round_number)
        host.state.set(0, "utilization.memory", round_number)
        readings += [host.nvml.begin("nvmlDeviceGetUtilizationRates", gpu(0)) for _ in range(2)]
    results = [reading.result(5) for reading in readings]
    assert all(0 <= r["gpu"] - r["memory"] <= 1 for r in results)
    assert results[-1] == {"gpu": 49, "memory": 49}


def test_unreadable_line_is_named(tmp_path: Path) -> None:
    with nvml_host(tmp_path) as host:
        host.state.path.write_text("gpus = 2\nnonsense\n")
        said = host.run_smi("-L").stderr
    assert "line 2: expected `key = value`, got `nonsense`" in said
