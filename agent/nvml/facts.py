"""Every fact of a poll, and the call that tells it. Names are those of `agent.sources.gpu.Gpu`.

Fast facts move with the load and are asked every poll; slow ones every few seconds.
"""

import ctypes
from typing import Any

import pynvml

from agent.nvml.fields import Batch
from agent.nvml.links import Links
from agent.nvml.look import Look

# nvml.h, NVML_FI_DEV_*
ECC_CORRECTED, ECC_UNCORRECTED = (3, 0), (4, 0)  # volatile
RETIRED_PENDING = (31, 0)
PCIE_REPLAYS = (94, 0)
REMAP_PENDING, REMAP_FAILED = (144, 0), (145, 0)
RECOVERY_ACTION = (230, 0)
HW_THERMAL_NS, HW_BRAKE_NS = (270, 0), (271, 0)

_FAST = (RECOVERY_ACTION, HW_THERMAL_NS, HW_BRAKE_NS, PCIE_REPLAYS)
_SLOW = (ECC_CORRECTED, ECC_UNCORRECTED, RETIRED_PENDING, REMAP_PENDING, REMAP_FAILED)


class Facts:
    """How the facts of one GPU are asked."""

    def __init__(self) -> None:
        self._fast, self._slow, self._links = Batch(_FAST), Batch(_SLOW), Links()

    def fast(self, gpu: Any, look: Look) -> None:
        """Ask what moves with the load. The driver's own verdict, field 230, comes first."""
        fields: dict[tuple[int, int], int] = {}
        try:
            self._fast.read(gpu, look, fields)
        finally:
            look.facts["recovery_action"] = fields.get(RECOVERY_ACTION)
        memory = _memory(gpu, look)
        rates = look.ask("nvmlDeviceGetUtilizationRates", gpu)
        look.facts |= {
            "memory_total": memory and memory.total,
            "memory_used": memory and memory.used,
            "temperature": look.ask("nvmlDeviceGetTemperature", gpu, pynvml.NVML_TEMPERATURE_GPU),
            "power": look.ask("nvmlDeviceGetPowerUsage", gpu),
            "utilisation": rates and rates.gpu,
            "performance_state": look.ask("nvmlDeviceGetPerformanceState", gpu),
            "clock_reasons": _clock_reasons(gpu, look),
            "thermal_ns": fields.get(HW_THERMAL_NS),
            "brake_ns": fields.get(HW_BRAKE_NS),
            "pcie_width": look.ask("nvmlDeviceGetCurrPcieLinkWidth", gpu),
            "pcie_gen": look.ask("nvmlDeviceGetCurrPcieLinkGeneration", gpu),
            "pcie_replays": fields.get(PCIE_REPLAYS),
            "processes": _processes(gpu, look),
        }

    def slow(self, gpu: Any, look: Look) -> None:
        """Ask what a fault or a person changes."""
        fields = self._slow.read(gpu, look, {})
        mig = look.ask("nvmlDeviceGetMigMode", gpu)
        look.facts |= {
            "ecc_corrected": fields.get(ECC_CORRECTED),
            "ecc_uncorrected": fields.get(ECC_UNCORRECTED),
            "retired_pending": _flag(fields.get(RETIRED_PENDING)),
            "remap_pending": _flag(fields.get(REMAP_PENDING)),
            "remap_failed": _flag(fields.get(REMAP_FAILED)),
            "sram_threshold": _sram_threshold(gpu, look),
            "pcie_width_max": look.ask("nvmlDeviceGetMaxPcieLinkWidth", gpu),
            "pcie_gen_max": look.ask("nvmlDeviceGetMaxPcieLinkGeneration", gpu),
            "links": self._links.read(gpu, look),
            "persistence": _flag(look.ask("nvmlDeviceGetPersistenceMode", gpu)),
            "mig": _flag(mig and mig[0]),
            **_fabric(gpu, look),
        }


def capability(gpu: Any, look: Look) -> int | None:
    """Ask what never changes: the compute capability, as major × 10 + minor."""
    told = look.ask("nvmlDeviceGetCudaComputeCapability", gpu)
    return None if told is None else int(told[0] * 10 + told[1])


def _memory(gpu: Any, look: Look) -> Any:
    """Version 2 leaves what the driver keeps for itself out of `used`; old drivers lack it."""
    return look.ask("nvmlDeviceGetMemoryInfo", gpu, pynvml.nvmlMemory_v2) or look.ask(
        "nvmlDeviceGetMemoryInfo", gpu
    )


def _clock_reasons(gpu: Any, look: Look) -> int | None:
    """Ask by the new name, else by the one before driver 535."""
    reasons = look.ask("nvmlDeviceGetCurrentClocksEventReasons", gpu)
    if reasons is None:
        reasons = look.ask("nvmlDeviceGetCurrentClocksThrottleReasons", gpu)
    return None if reasons is None else int(reasons)


def _processes(gpu: Any, look: Look) -> list[int] | None:
    """By version: the binding's unversioned call refuses a driver that lacks the latest."""
    running = look.ask("nvmlDeviceGetComputeRunningProcesses_v3", gpu)
    if running is None:
        running = look.ask("nvmlDeviceGetComputeRunningProcesses_v2", gpu)
    return None if running is None else [process.pid for process in running]


def _sram_threshold(gpu: Any, look: Look) -> bool | None:
    if not hasattr(pynvml, "c_nvmlEccSramErrorStatus_v1_t"):
        return None
    status = pynvml.c_nvmlEccSramErrorStatus_v1_t()
    answer = look.ask("nvmlDeviceGetSramEccErrorStatus", gpu, ctypes.byref(status))
    return None if answer is None else bool(status.bThresholdExceeded)


def _fabric(gpu: Any, look: Look) -> dict[str, int | None]:
    """Version 2 of the structure is the first with a health mask; later drivers take it too."""
    names = {"fabric_state": "state", "fabric_status": "status", "fabric_health": "healthMask"}
    if not hasattr(pynvml, "c_nvmlGpuFabricInfo_v2_t"):
        return dict.fromkeys(names)
    info = pynvml.c_nvmlGpuFabricInfo_v2_t()
    if look.ask("nvmlDeviceGetGpuFabricInfoV", gpu, ctypes.byref(info)) is None:
        return dict.fromkeys(names)
    return {name: int(getattr(info, member)) for name, member in names.items()}


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
