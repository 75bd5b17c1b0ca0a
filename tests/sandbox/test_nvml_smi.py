"""The stand-in for nvidia-smi: it shows what the library says, injected faults too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.nvml.client import gpu
from tests.sandbox.nvml.state import gpu_uuid
from tests.sandbox.nvml_host import NvmlHost, nvml_host

ASKED = (
    "index,uuid,name,memory.total,memory.used,temperature.gpu,driver_version,pci.bus_id,"
    "ecc.mode.current,persistence_mode"
)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[NvmlHost]:
    with nvml_host(tmp_path, started=False) as running:
        yield running


def test_list(host: NvmlHost) -> None:
    code, text = host.smi("-L")
    assert code == 0
    assert text.splitlines() == [
        f"GPU {n}: NVIDIA H100 80GB HBM3 (UUID: {gpu_uuid('gpu-1', n)})" for n in (0, 1)
    ]


def test_query_is_what_a_real_h100_printed(host: NvmlHost) -> None:
    _, text = host.smi(f"--query-gpu={ASKED}", "--format=csv")
    assert text.splitlines()[:2] == [
        "index, uuid, name, memory.total [MiB], memory.used [MiB], temperature.gpu, "
        "driver_version, pci.bus_id, ecc.mode.current, persistence_mode",
        f"0, {gpu_uuid('gpu-1', 0)}, NVIDIA H100 80GB HBM3, 81559 MiB, 0 MiB, 35, 580.159.04, "
        "00000000:06:00.0, Enabled, Enabled",
    ]
    _, bare = host.smi(
        "--query-gpu=index,memory.total,power.draw,power.limit,clocks.sm,utilization.gpu,pstate",
        "--format=csv,noheader,nounits",
        "-i",
        "0",
    )
    assert bare == "0, 81559, 73.39, 700.00, 345, 0, P0\n"


def test_table_names_gpus_and_processes(host: NvmlHost) -> None:
    host.state.processes(1, {4321: 1542 << 20})
    code, text = host.smi()
    assert code == 0
    assert "Driver Version: 580.159.04" in text
    assert "CUDA Version: 13.0" in text
    assert "00000000:07:00.0" in text
    assert "4321" in text
    assert "1542MiB" in text


@pytest.mark.parametrize(
    ("returned", "code", "words"),
    [
        (9, 9, "couldn't communicate with the NVIDIA driver"),
        (18, 18, "Failed to initialize NVML: Driver/library version mismatch"),
        (999, 255, "Failed to initialize NVML: Unknown Error"),
    ],
)
def test_broken_driver(host: NvmlHost, returned: int, code: int, words: str) -> None:
    host.state.inject_return("nvmlInit", returned)
    got, text = host.smi()
    assert got == code
    assert words in text


def test_lost_gpu(host: NvmlHost) -> None:
    host.state.lose(1)
    code, text = host.smi(f"--query-gpu={ASKED}", "--format=csv")
    assert code == 15
    assert "Unable to determine the device handle for GPU0000:07:00.0: GPU is lost." in text


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--query-gpu=bogus", "--format=csv"), 2, 'Field "bogus" is not a valid field to query.'),
        (("--bogus",), 255, "Option --bogus is not recognized."),
        (("--query-gpu=index", "--format=csv", "-i", "7"), 6, "No devices were found"),
    ],
)
def test_bad_question(host: NvmlHost, options: tuple[str, ...], code: int, words: str) -> None:
    got, text = host.smi(*options)
    assert (got, words in text) == (code, True)


def test_unreadable_value_stands_in_brackets(host: NvmlHost) -> None:
    host.state.inject_return("nvmlDeviceGetTemperature", 3, gpu=0)
    host.state.inject_return("nvmlDeviceGetTemperature", 999, gpu=1)
    _, text = host.smi("--query-gpu=temperature.gpu", "--format=csv,noheader")
    assert text.splitlines() == ["[N/A]", "[Unknown Error]"]


def test_persistence_mode_is_set_for_everybody(host: NvmlHost) -> None:
    host.nvml.call("nvmlInit")
    host.state.set(0, "persistence", 0)
    code, text = host.smi("-pm", "1")
    assert code == 0
    assert "Enabled persistence mode for GPU 00000000:06:00.0." in text
    assert "Persistence mode is already Enabled for GPU 00000000:07:00.0." in text
    assert host.nvml.call("nvmlDeviceGetPersistenceMode", gpu(0)) == 1


def test_reset_heals_one_gpu(host: NvmlHost) -> None:
    host.state.require_reset(0)
    host.state.require_reset(1)
    host.state.set(0, "ecc.volatile.uncorrected.dram", 4)
    host.state.set(0, "ecc.aggregate.uncorrected.dram", 4)
    code, text = host.smi("--gpu-reset", "-i", "0")
    assert (code, text) == (0, "GPU 00000000:06:00.0 was successfully reset.\nAll done.\n")
    host.nvml.call("nvmlInit")
    assert host.nvml.call("nvmlDeviceGetTotalEccErrors", gpu(0), 1, 0) == 0
    assert host.nvml.call("nvmlDeviceGetTotalEccErrors", gpu(0), 1, 1) == 4
    assert host.nvml.code("nvmlDeviceGetName", gpu(1)) == 16


def test_reset_is_refused_while_a_process_uses_the_gpu(host: NvmlHost) -> None:
    host.state.processes(0, {77: 1})
    code, text = host.smi("--gpu-reset", "-i", "0")
    assert code == 255
    assert "GPU 00000000:06:00.0: In use by another client" in text


def test_reset_is_refused_while_anybody_holds_nvml(host: NvmlHost) -> None:
    host.state.require_reset(0)
    host.nvml.call("nvmlInit")
    assert host.smi("--gpu-reset", "-i", "0")[0] == 255
    host.nvml.call("nvmlShutdown")
    assert host.smi("--gpu-reset", "-i", "0")[0] == 0
