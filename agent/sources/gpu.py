"""What one poll of the driver tells of the GPUs. None = this board, driver or moment has it not.

Field numbers and return codes are those of nvml.h; product limits stand at each field.
"""

import msgspec


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One NVLink that the board has. `errors` is the sum of its error counters since the reset."""

    number: int
    active: bool
    errors: int | None = None


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU. `error` is the NVML code that looking at it gave; what was not read is None."""

    index: int
    uuid: str = ""
    pci: str = ""
    name: str = ""
    capability: int | None = None  # compute capability: major × 10 + minor
    memory_total: int | None = None  # bytes
    memory_used: int | None = None  # bytes
    temperature: int | None = None  # degrees Celsius
    power: int | None = None  # milliwatts
    utilisation: int | None = None  # per cent
    performance_state: int | None = None  # 0 = P0, the fastest
    recovery_action: int | None = None  # field 230: 0 none, 1 reset, … (`xid.fault.Action`)
    clock_reasons: int | None = None  # bits of nvmlDeviceGetCurrentClocksEventReasons
    thermal_ns: int | None = None  # ns slowed down by hardware heat since the driver was loaded
    brake_ns: int | None = None  # ns slowed down by the power brake
    ecc_uncorrected: int | None = None  # volatile: since the driver was loaded or the GPU reset
    ecc_corrected: int | None = None
    sram_threshold: bool | None = None  # the board's SRAM has had too many errors
    remap_pending: bool | None = None  # a row is remapped at the next reset (Ampere and later)
    remap_failed: bool | None = None
    retired_pending: bool | None = None  # the same before Ampere: a page
    pcie_width: int | None = None
    pcie_width_max: int | None = None
    pcie_gen: int | None = None  # drops when idle
    pcie_gen_max: int | None = None
    pcie_replays: int | None = None
    links: tuple[Link, ...] = ()
    fabric_state: int | None = None  # 0 unsupported, 1 not started, 2 in progress, 3 completed
    fabric_status: int | None = None  # an NVML return code; counts in state 3 only
    fabric_health: int | None = None  # mask, see nvml.h NVML_GPU_FABRIC_HEALTH_MASK_*
    persistence: bool | None = None
    mig: bool | None = None
    processes: tuple[int, ...] | None = None  # process ids of the host that compute on it
    error: int | None = None
    error_text: str = ""


class NvmlReading(msgspec.Struct, frozen=True, kw_only=True):
    """All GPUs, or the NVML code that kept the worker from looking at any."""

    driver: str = ""  # version of the kernel driver, e.g. 595.91.07
    gpus: tuple[Gpu, ...] = ()
    error: int | None = None
    error_text: str = ""
