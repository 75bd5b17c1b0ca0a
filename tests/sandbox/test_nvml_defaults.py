"""A simulated GPU that nobody touched answers what a real H100 answered (driver 580.159.04)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.nvml.client import gpu, struct
from tests.sandbox.nvml_host import NvmlHost, nvml_host

NOT_SUPPORTED, INVALID_ARGUMENT, NOT_FOUND = 3, 2, 6

VALUES: list[tuple[str, tuple[Any, ...], Any]] = [
    ("nvmlDeviceGetName", (), "NVIDIA H100 80GB HBM3"),
    ("nvmlDeviceGetPowerUsage", (), 73392),
    ("nvmlDeviceGetEnforcedPowerLimit", (), 700_000),
    ("nvmlDeviceGetPowerManagementLimit", (), 700_000),
    ("nvmlDeviceGetPowerManagementDefaultLimit", (), 700_000),
    ("nvmlDeviceGetPowerManagementLimitConstraints", (), [200_000, 700_000]),
    ("nvmlDeviceGetTotalEnergyConsumption", (), 3_313_625),
    ("nvmlDeviceGetTemperature", (0,), 35),
    ("nvmlDeviceGetTemperatureV", (0,), 35),
    ("nvmlDeviceGetMarginTemperature", (), 52),
    ("nvmlDeviceGetTemperatureThreshold", (0,), 95),
    ("nvmlDeviceGetTemperatureThreshold", (1,), 89),
    ("nvmlDeviceGetTemperatureThreshold", (2,), 95),
    ("nvmlDeviceGetTemperatureThreshold", (3,), 87),
    ("nvmlDeviceGetClockInfo", (0,), 345),
    ("nvmlDeviceGetMaxClockInfo", (2,), 2619),
    ("nvmlDeviceGetCurrentClocksEventReasons", (), 0x1),
    ("nvmlDeviceGetCurrentClocksThrottleReasons", (), 0x1),
    ("nvmlDeviceGetSupportedClocksEventReasons", (), 0x1FF),
    ("nvmlDeviceGetEccMode", (), [1, 1]),
    ("nvmlDeviceGetTotalEccErrors", (1, 0), 0),
    ("nvmlDeviceGetMemoryErrorCounter", (1, 0, 2), 0),
    ("nvmlDeviceGetMemoryErrorCounter", (0, 1, 7), 0),
    ("nvmlDeviceGetRemappedRows", (), [0, 0, 0, 0]),
    ("nvmlDeviceGetRepairStatus", (), [0, 0]),
    ("nvmlDeviceGetUnrepairableMemoryFlag_v1", (), 0),
    ("nvmlDeviceGetCurrPcieLinkGeneration", (), 5),
    ("nvmlDeviceGetCurrPcieLinkWidth", (), 16),
    ("nvmlDeviceGetMaxPcieLinkGeneration", (), 5),
    ("nvmlDeviceGetGpuMaxPcieLinkGeneration", (), 5),
    ("nvmlDeviceGetMaxPcieLinkWidth", (), 16),
    ("nvmlDeviceGetPcieReplayCounter", (), 0),
    ("nvmlDeviceGetCudaComputeCapability", (), [9, 0]),
    ("nvmlDeviceGetArchitecture", (), 9),
    ("nvmlDeviceGetPersistenceMode", (), 1),
    ("nvmlDeviceGetMigMode", (), [0, 0]),
    ("nvmlDeviceGetPerformanceState", (), 0),
    ("nvmlDeviceGetSupportedEventTypes", (), 0xFF9F),
    ("nvmlDeviceGetComputeRunningProcesses", (), []),
    ("nvmlDeviceGetGraphicsRunningProcesses", (), []),
    ("nvmlDeviceGetUtilizationRates", (), {"gpu": 0, "memory": 0}),
    ("nvmlDeviceGetVbiosVersion", (), "96.00.CF.00.01"),
    ("nvmlDeviceGetGspFirmwareVersion", (), "580.159.04"),
    ("nvmlDeviceGetGspFirmwareMode", (), [1, 1]),
]
ERRORS: list[tuple[str, tuple[Any, ...], int]] = [
    ("nvmlDeviceGetRetiredPagesPendingStatus", (), NOT_SUPPORTED),
    ("nvmlDeviceGetRetiredPages", (0,), NOT_SUPPORTED),
    ("nvmlDeviceGetNvLinkState", (0,), NOT_SUPPORTED),
    ("nvmlDeviceGetNvLinkErrorCounter", (0, 0), NOT_SUPPORTED),
    ("nvmlDeviceGetNvLinkRemotePciInfo", (0,), NOT_SUPPORTED),
    ("nvmlDeviceGetNumaNodeId", (), NOT_SUPPORTED),
    ("nvmlDeviceGetTemperatureThreshold", (4,), NOT_SUPPORTED),
    ("nvmlDeviceGetTemperatureThreshold", (99,), INVALID_ARGUMENT),
    ("nvmlDeviceGetTemperatureV", (1,), INVALID_ARGUMENT),
    ("nvmlDeviceGetMemoryErrorCounter", (0, 0, 0), NOT_SUPPORTED),
    ("nvmlDeviceGetApplicationsClock", (3,), NOT_SUPPORTED),
]
FIELD_U32, FIELD_U64, FIELD_S32 = 1, 3, 5
# id: (return code, value type, value)
FIELDS = {
    3: (0, FIELD_U64, 0),
    6: (0, FIELD_U64, 0),
    29: (NOT_SUPPORTED, 0, 0),
    74: (0, FIELD_U64, 0),
    82: (0, FIELD_U32, 40),
    94: (0, FIELD_U32, 0),
    142: (0, FIELD_U64, 0),
    145: (0, FIELD_U64, 0),
    193: (0, FIELD_S32, -8),
    194: (0, FIELD_S32, -2),
    213: (NOT_SUPPORTED, 0, 0),
    222: (NOT_SUPPORTED, 0, 0),
    230: (0, FIELD_U32, 0),
    269: (0, FIELD_U64, 0),
    271: (0, FIELD_U64, 0),
    307: (INVALID_ARGUMENT, 0, 0),
}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NvmlHost]:
    with nvml_host(tmp_path_factory.mktemp("nvml")) as running:
        yield running


@pytest.mark.parametrize(("call", "arguments", "value"), VALUES)
def test_value(host: NvmlHost, call: str, arguments: tuple[Any, ...], value: Any) -> None:
    assert host.nvml.call(call, gpu(0), *arguments) == value


@pytest.mark.parametrize(("call", "arguments", "code"), ERRORS)
def test_error(host: NvmlHost, call: str, arguments: tuple[Any, ...], code: int) -> None:
    assert host.nvml.code(call, gpu(0), *arguments) == code


def test_field_values_carry_their_own_codes_and_types(host: NvmlHost) -> None:
    values = host.nvml.call("nvmlDeviceGetFieldValues", gpu(0), list(FIELDS))
    got = {
        v["fieldId"]: (
            v["nvmlReturn"],
            v["valueType"],
            v["value"]["siVal" if v["valueType"] == FIELD_S32 else "ullVal"],
        )
        for v in values
    }
    assert got == FIELDS


def test_versions(host: NvmlHost) -> None:
    assert host.nvml.call("nvmlSystemGetDriverVersion") == "580.159.04"
    assert host.nvml.call("nvmlSystemGetNVMLVersion") == "13.580.159.04"
    assert host.nvml.call("nvmlSystemGetCudaDriverVersion_v2") == 13000


def test_memory_version_1_counts_the_reserved_part_as_used(host: NvmlHost) -> None:
    total, reserved = 85_520_809_984, 503_316_480
    newer = host.nvml.call("nvmlDeviceGetMemoryInfo", gpu(0), 0x02000028)
    assert (newer["total"], newer["reserved"], newer["used"]) == (total, reserved, 0)
    assert newer["free"] == total - reserved
    older = host.nvml.call("nvmlDeviceGetMemoryInfo", gpu(0))
    assert older == {"total": total, "free": total - reserved, "used": reserved}


def test_row_remapper_has_all_its_spare_rows(host: NvmlHost) -> None:
    histogram = host.nvml.call("nvmlDeviceGetRowRemapperHistogram", gpu(0))
    assert histogram == {"max": 2560, "high": 0, "partial": 0, "low": 0, "none": 0}


@pytest.mark.parametrize("version", ["c_nvmlGpuFabricInfo_v2_t", "c_nvmlGpuFabricInfo_v3_t"])
def test_fabric_is_not_there(host: NvmlHost, version: str) -> None:
    info = host.nvml.call("nvmlDeviceGetGpuFabricInfoV", gpu(0), struct(version))
    assert (info["state"], info["status"], info["healthMask"]) == (0, 0, 0)


def test_sram_errors_are_none(host: NvmlHost) -> None:
    sram = struct("c_nvmlEccSramErrorStatus_v1_t")
    status = host.nvml.call("nvmlDeviceGetSramEccErrorStatus", gpu(0), sram)
    assert status.pop("version") == 0x1000068
    assert len(status) == 12
    assert set(status.values()) == {0}


def test_two_gpus_are_told_apart_and_found_again(host: NvmlHost) -> None:
    assert host.nvml.call("nvmlDeviceGetCount") == 2
    for index, bus in enumerate(("00000000:06:00.0", "00000000:07:00.0")):
        pci = host.nvml.call("nvmlDeviceGetPciInfo", gpu(index))
        assert (pci["busId"], pci["busIdLegacy"]) == (bus, bus[4:])
        assert pci["pciDeviceId"] == 0x233010DE
        assert host.nvml.call("nvmlDeviceGetMinorNumber", gpu(index)) == index
        assert host.nvml.code("nvmlDeviceGetHandleByPciBusId", bus) == 0
        assert host.nvml.code("nvmlDeviceGetHandleByPciBusId", bus[4:]) == 0
    uuids = [host.nvml.call("nvmlDeviceGetUUID", gpu(index)) for index in range(2)]
    assert uuids[0] != uuids[1]
    assert host.nvml.code("nvmlDeviceGetHandleByUUID", uuids[1]) == 0


def test_unknown_gpu_is_refused_as_by_the_real_library(host: NvmlHost) -> None:
    assert host.nvml.code("nvmlDeviceGetHandleByIndex", 99) == INVALID_ARGUMENT
    assert host.nvml.code("nvmlDeviceGetHandleByUUID", "GPU-0") == NOT_FOUND
    assert host.nvml.code("nvmlDeviceGetHandleByPciBusId", "00000000:FF:00.0") == NOT_FOUND


def test_peers(host: NvmlHost) -> None:
    assert host.nvml.call("nvmlDeviceGetP2PStatus", gpu(0), gpu(1), 0) == 5
    assert host.nvml.call("nvmlDeviceGetTopologyCommonAncestor", gpu(0), gpu(1)) == 50
    assert host.nvml.code("nvmlDeviceGetTopologyCommonAncestor", gpu(0), gpu(0)) == NOT_SUPPORTED


def test_error_words(host: NvmlHost) -> None:
    words = {code: host.nvml.call("nvmlErrorString", code) for code in (0, 9, 15, 16, 18, 31, 999)}
    assert words == {
        0: "Success",
        9: "Driver Not Loaded",
        15: "GPU is lost",
        16: "GPU requires reset",
        18: "Driver/library version mismatch",
        31: "Unknown Error",
        999: "Unknown Error",
    }


def test_shutdown_ends_all(host: NvmlHost) -> None:
    host.nvml.call("nvmlInit")
    host.nvml.call("nvmlShutdown")
    assert host.nvml.call("nvmlDeviceGetCount") == 2
    host.nvml.call("nvmlShutdown")
    assert host.nvml.code("nvmlDeviceGetCount") == 1
    assert host.nvml.code("nvmlShutdown") == 1
    host.nvml.call("nvmlInit")
