"""The worker as a real process on the simulated driver: every fact, and every way to have none."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.sources.gpu import Gpu, NvmlReading
from tests.agent.nvml_rig import PCI, Worker, simulated
from tests.sandbox.nvml.state import NvmlState, gpu_uuid

LOST, RESET_REQUIRED = 15, 16
NAMES = {"uuid": gpu_uuid("gpu-1", 0), "pci": PCI[0], "name": "NVIDIA H100 80GB HBM3"}


@pytest.fixture
def state(tmp_path: Path) -> NvmlState:
    return simulated(tmp_path)


@pytest.fixture
def worker(state: NvmlState) -> Iterator[Worker]:
    made = Worker(state)
    yield made
    made.close()


def names(gpu: dict[str, Any]) -> dict[str, str]:
    return {name: gpu[name] for name in NAMES}


def test_tells_every_fact_and_no_other(worker: Worker) -> None:
    reading = worker.poll()
    assert set(reading["gpus"][0]) == set(Gpu.__struct_fields__)
    decoded = msgspec.convert(reading, NvmlReading)
    assert decoded.driver == "580.159.04"
    assert [gpu.uuid for gpu in decoded.gpus] == [gpu_uuid("gpu-1", n) for n in (0, 1)]


@pytest.mark.parametrize("child", ["worker", "events"])
def test_the_children_load_nothing_heavy(child: str) -> None:
    """What they import costs memory twice on every node: 80 MB is all there is."""
    program = f"import sys, agent.nvml.{child}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "pynvml" in loaded
    assert not {"asyncio", "aiohttp", "msgspec", "logging", "agent.sources"} & loaded


@pytest.mark.parametrize(
    ("changes", "fact", "wanted"),
    [
        ({}, "capability", 90),
        ({"compute_capability": "12.0"}, "capability", 120),
        ({"memory.used": 5 << 30}, "memory_used", 5 << 30),  # without what the driver reserves
        ({"memory.total": 7 << 30}, "memory_total", 7 << 30),
        ({"temperature": 71}, "temperature", 71),
        ({"power.usage": 412_000}, "power", 412_000),
        ({"utilization.gpu": 88}, "utilisation", 88),
        ({"performance_state": 2}, "performance_state", 2),
        ({"recovery_action": 4}, "recovery_action", 4),
        ({"clocks_event_reasons": 0x48}, "clock_reasons", 0x48),
        ({"field.270": 1 << 40}, "thermal_ns", 1 << 40),
        ({"field.271": 77}, "brake_ns", 77),
        ({"ecc.volatile.uncorrected.sram": 3}, "ecc_uncorrected", 3),
        ({"ecc.volatile.corrected.dram": 4}, "ecc_corrected", 4),
        ({"ecc.aggregate.uncorrected.dram": 9}, "ecc_uncorrected", 0),
        ({"sram.threshold_exceeded": 1}, "sram_threshold", True),
        ({"remapped.pending": 1}, "remap_pending", True),
        ({"remapped.failed": 1}, "remap_failed", True),
        ({"retired_pages.pending": 1}, "retired_pending", True),
        ({"pcie.width": 8}, "pcie_width", 8),
        ({"pcie.max_width": 8}, "pcie_width_max", 8),
        ({"pcie.generation": 1}, "pcie_gen", 1),
        ({"pcie.max_generation": 4}, "pcie_gen_max", 4),
        ({"pcie.replay": 12}, "pcie_replays", 12),
        ({"fabric.state": 3}, "fabric_state", 3),
        ({"fabric.state": 3, "fabric.status": 999}, "fabric_status", 999),
        ({"fabric.health_mask": 0x55}, "fabric_health", 0x55),
        ({"persistence": 0}, "persistence", False),
        ({"mig.current": 1}, "mig", True),
        ({"mig.current": 1}, "utilisation", None),
        ({"mig.current": 1}, "remap_failed", None),
        ({"processes": "101:5, 102:6"}, "processes", [101, 102]),
        ({"processes": ""}, "processes", []),
    ],
)
def test_each_fact(
    state: NvmlState, worker: Worker, changes: dict[str, str | int], fact: str, wanted: object
) -> None:
    for key, value in changes.items():
        state.set(0, key, value)
    gpu, other = worker.gpus()
    assert gpu[fact] == wanted
    assert gpu["error"] is None
    assert other["error"] is None


def test_links_are_those_that_the_board_has(state: NvmlState, worker: Worker) -> None:
    for link in (0, 2, 5):
        state.set(0, f"nvlink.{link}.state", 1)
        state.set(0, f"nvlink.{link}.error", 0)
    state.set(0, "nvlink.2.error.replay", 4)
    state.set(0, "nvlink.2.error.crc_flit", 3)
    gpu, other = worker.gpus()
    assert gpu["links"] == [
        {"number": 0, "active": True, "errors": 0},
        {"number": 2, "active": True, "errors": 7},
        {"number": 5, "active": True, "errors": 0},
    ]
    assert other["links"] == []  # no NVLink is no fault
    state.set(0, "nvlink.2.state", 0)
    assert [link["active"] for link in worker.gpus(fresh=True)[0]["links"]] == [True, False, True]


def test_many_links_are_asked_in_batches(state: NvmlState, worker: Worker) -> None:
    state.set(0, "nvlink.state", 1)
    for link in range(18):
        state.set(0, f"nvlink.{link}.error", link)
    assert [link["errors"] for link in worker.gpus()[0]["links"]] == [3 * n for n in range(18)]


@pytest.mark.parametrize("code", [2, 3, 4, 13, 25])
@pytest.mark.parametrize(
    ("call", "fact"),
    [
        ("nvmlDeviceGetTemperature", "temperature"),
        ("nvmlDeviceGetSramEccErrorStatus", "sram_threshold"),
        ("nvmlDeviceGetGpuFabricInfoV", "fabric_state"),
        ("nvmlDeviceGetComputeRunningProcesses", "processes"),
        ("nvmlDeviceGetFieldValues", "recovery_action"),
        ("nvmlDeviceGetMemoryInfo", "memory_used"),
        ("nvmlDeviceGetMigMode", "mig"),
        ("nvmlDeviceGetCudaComputeCapability", "capability"),
    ],
)
def test_what_a_board_or_driver_has_not_is_none(
    state: NvmlState, worker: Worker, code: int, call: str, fact: str
) -> None:
    state.inject_return(call, code, gpu=0)
    gpu = worker.gpus()[0]
    assert (gpu[fact], gpu["error"], gpu["error_text"]) == (None, None, "")


@pytest.mark.parametrize(("code", "wanted"), [(3, None), (13, None), (10, 10), (999, 999)])
def test_a_field_has_a_code_of_its_own(
    state: NvmlState, worker: Worker, code: int, wanted: int | None
) -> None:
    state.set(0, "field.270.return", code)
    state.set(0, "field.271", 5)
    gpu = worker.gpus()[0]
    assert (gpu["thermal_ns"], gpu["brake_ns"], gpu["error"]) == (None, 5, wanted)


def test_clock_reasons_by_the_older_name(state: NvmlState, worker: Worker) -> None:
    state.inject_return("nvmlDeviceGetCurrentClocksEventReasons", 13)
    assert worker.gpus()[0]["clock_reasons"] == 1


@pytest.mark.parametrize("code", [10, 14, 17, 999])
def test_an_odd_answer_is_told_and_costs_no_other_fact(
    state: NvmlState, worker: Worker, code: int
) -> None:
    state.inject_return("nvmlDeviceGetPowerUsage", code, gpu=0)
    gpu = worker.gpus()[0]
    assert (gpu["error"], gpu["power"], gpu["temperature"]) == (code, None, 35)
    assert gpu["error_text"].startswith("nvmlDeviceGetPowerUsage: ")


def test_slow_facts_are_kept_for_ten_seconds_and_asked_at_once_on_demand(
    state: NvmlState, worker: Worker
) -> None:
    assert worker.gpus(now=100.0)[0]["remap_pending"] is False
    state.set(0, "remapped.pending", 1)
    state.set(0, "temperature", 80)
    between = worker.gpus(now=109.9)[0]
    assert (between["remap_pending"], between["temperature"]) == (False, 80)
    assert worker.gpus(now=109.9, fresh=True)[0]["remap_pending"] is True
    state.set(0, "remapped.pending", 0)
    assert worker.gpus(now=119.8)[0]["remap_pending"] is True
    assert worker.gpus(now=119.9)[0]["remap_pending"] is False


def test_what_never_changes_is_asked_once_of_each_gpu(state: NvmlState, worker: Worker) -> None:
    assert worker.gpus(now=100.0)[0]["capability"] == 90
    state.set(0, "compute_capability", "12.0")
    assert worker.gpus(now=200.0, fresh=True)[0]["capability"] == 90
    state.lose(0)
    worker.gpus(now=300.0)
    state.set(0, "lost", 0)
    assert worker.gpus(now=400.0)[0]["capability"] == 120  # it may be another board by now


def test_a_lost_gpu_is_told_at_once_keeps_its_names_and_is_left_alone_for_a_minute(
    state: NvmlState, worker: Worker
) -> None:
    worker.gpus(now=0.0)
    state.lose(0)
    lost, other = worker.gpus(now=1.0)
    assert (lost["error"], names(lost), lost.get("temperature")) == (LOST, NAMES, None)
    assert (other["error"], other["temperature"]) == (None, 35)
    state.set(0, "lost", 0)
    state.hang("*", gpu=0)  # a call now would not return
    assert worker.gpus(now=60.9, fresh=True)[0]["error"] == LOST
    state.release("*", gpu=0)
    found = worker.gpus(now=61.0)[0]
    assert (found["error"], names(found), found["temperature"]) == (None, NAMES, 35)


@pytest.mark.parametrize("call", ["nvmlDeviceGetTemperature", "nvmlDeviceGetMigMode"])
@pytest.mark.parametrize("code", [LOST, RESET_REQUIRED])
def test_any_call_may_give_the_verdict(
    state: NvmlState, worker: Worker, call: str, code: int
) -> None:
    worker.gpus(now=0.0)
    state.inject_return(call, code, gpu=0)
    gpu = worker.gpus(now=20.0)[0]
    assert (gpu["error"], names(gpu)) == (code, NAMES)


def test_reset_required_tells_the_recovery_action_and_ends_with_the_reset(
    state: NvmlState, worker: Worker
) -> None:
    worker.gpus(now=0.0)
    state.require_reset(0)
    gpu, other = worker.gpus(now=1.0)
    assert (gpu["error"], gpu["recovery_action"], names(gpu)) == (RESET_REQUIRED, 1, NAMES)
    assert other["error"] is None
    state.set(0, "recovery_action", 2)
    assert worker.gpus(now=2.0)[0]["recovery_action"] == 2
    fresh = Worker(state)
    try:
        nameless = fresh.gpus()[0]
        assert (nameless["uuid"], nameless["recovery_action"]) == (NAMES["uuid"], 2)
        state.clear()
        for asked in (worker, fresh):
            healed = asked.gpus(now=3.0)[0]
            assert (healed["error"], names(healed)) == (None, NAMES)
    finally:
        fresh.close()


def test_a_fresh_worker_knows_a_lost_gpu_by_what_its_parent_saw(
    state: NvmlState, worker: Worker
) -> None:
    known = [names(gpu) for gpu in worker.gpus()]
    state.lose(0)
    other = Worker(state)
    try:
        lost = other.gpus(known=known)[0]
    finally:
        other.close()
    assert (lost["error"], names(lost)) == (LOST, NAMES)


@pytest.mark.parametrize("spelling", [PCI[0], "0000:06:00", "00000000:06:00"])
def test_hands_off(state: NvmlState, worker: Worker, spelling: str) -> None:
    known = [names(gpu) for gpu in worker.gpus()]
    state.hang("*", gpu=0)
    fresh = Worker(state)
    try:
        for asked in (worker, fresh):
            gpu, other = asked.gpus(hands_off={spelling: "Xid 119"}, known=known)
            assert (names(gpu), gpu["error"]) == (NAMES, None)
            assert gpu["error_text"] == "not called: Xid 119"
            assert other["temperature"] == 35
    finally:
        fresh.close()


def test_an_absent_gpu_leaves_and_the_others_keep_their_names(
    state: NvmlState, worker: Worker
) -> None:
    before = worker.gpus()
    state.remove(0)
    (left,) = worker.gpus()
    assert (left["uuid"], left["index"]) == (before[1]["uuid"], 0)
    state.set(0, "absent", 0)
    assert [gpu["uuid"] for gpu in worker.gpus()] == [gpu["uuid"] for gpu in before]


def test_which_gpu_is_lost_is_still_known_when_another_one_is_absent(tmp_path: Path) -> None:
    state = simulated(tmp_path, gpus=4)
    worker = Worker(state)
    try:
        before = [gpu["uuid"] for gpu in worker.gpus(now=0.0)]
        state.lose(2)
        state.remove(0)
        after = worker.gpus(now=1.0)
    finally:
        worker.close()
    assert [gpu["uuid"] for gpu in after] == before[1:]
    assert [gpu["error"] for gpu in after] == [None, LOST, None]


@pytest.mark.parametrize("call", ["nvmlInit", "nvmlDeviceGetCount"])
@pytest.mark.parametrize("code", [9, 17, 18, 999])
def test_what_concerns_the_whole_driver(
    state: NvmlState, worker: Worker, call: str, code: int
) -> None:
    state.inject_return(call, code)
    reading = worker.poll()
    assert reading["error"] == code
    assert reading["error_text"]
    state.inject_return(call, 0)
    assert worker.poll().get("error") is None


@pytest.mark.parametrize("code", [9, 18])
def test_a_driver_that_goes_in_the_middle_of_a_poll(
    state: NvmlState, worker: Worker, code: int
) -> None:
    worker.poll()
    state.inject_return("nvmlDeviceGetPowerUsage", code, gpu=1)
    assert worker.poll()["error"] == code
