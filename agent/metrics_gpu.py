"""The driver's facts about each GPU in Prometheus' words. What is not known is not a number."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from agent.snapshot import Snapshot
from agent.sources.gpu import Gpu

Read = Callable[[Gpu], float | None]

# nvmlDeviceGetCurrentClocksEventReasons, names as in nvml.h (nvmlClocksEventReason…).
CLOCK_REASONS = {
    0x1: "gpu_idle",
    0x2: "applications_clocks_setting",
    0x4: "sw_power_cap",
    0x8: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal_slowdown",
    0x40: "hw_thermal_slowdown",
    0x80: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
}


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """Return the metrics of all GPUs."""
    # What was last seen is kept and shown; that there is no newer look is the point here.
    problem = snapshot.gpus is None or snapshot.gpus.error is not None or snapshot.gpus_problem
    yield GaugeMetricFamily(
        "stoker_gpu_blind", "1 while the driver cannot be read.", value=float(bool(problem))
    )
    # Those that have lost even their UUID would be one series.
    gpus = [one for one in (snapshot.gpus.gpus if snapshot.gpus else ()) if one.uuid]
    yield _info(gpus)
    for name, text, read in GAUGES:
        yield _filled(GaugeMetricFamily(name, text, labels=["uuid"]), gpus, read)
    for name, text, read in COUNTERS:
        yield _filled(CounterMetricFamily(name, text, labels=["uuid"]), gpus, read)
    yield _ecc(gpus)
    yield _reasons(gpus)


def _scaled(field: str, scale: float = 1.0) -> Read:
    def read(gpu: Gpu) -> float | None:
        value = getattr(gpu, field)
        return None if value is None else value * scale

    return read


def _links_up(gpu: Gpu) -> float | None:
    return float(sum(link.active for link in gpu.links)) if gpu.links else None


def _link_errors(gpu: Gpu) -> float | None:
    known = [link.errors for link in gpu.links if link.errors is not None]
    return float(sum(known)) if known else None


GAUGES: tuple[tuple[str, str, Read], ...] = (
    ("stoker_gpu_memory_used_bytes", "GPU memory in use.", _scaled("memory_used")),
    ("stoker_gpu_memory_total_bytes", "GPU memory.", _scaled("memory_total")),
    ("stoker_gpu_temperature_celsius", "GPU core temperature.", _scaled("temperature")),
    ("stoker_gpu_power_watts", "Power drawn.", _scaled("power", 1e-3)),
    ("stoker_gpu_utilization_ratio", "Share of time busy.", _scaled("utilisation", 1e-2)),
    (
        "stoker_gpu_recovery_action",
        "What the driver says the GPU needs (field 230): 0 nothing, 1 reset, 2 reboot, …",
        _scaled("recovery_action"),
    ),
    (
        "stoker_gpu_sram_threshold_exceeded",
        "1 if the SRAM has had more errors than it may.",
        _scaled("sram_threshold"),
    ),
    (
        "stoker_gpu_row_remap_pending",
        "1 if a row is remapped at the next reset.",
        _scaled("remap_pending"),
    ),
    (
        "stoker_gpu_row_remap_failed",
        "1 if a bad row could not be remapped.",
        _scaled("remap_failed"),
    ),
    (
        "stoker_gpu_page_retirement_pending",
        "1 if a page is retired at the next reset.",
        _scaled("retired_pending"),
    ),
    ("stoker_gpu_pcie_lanes", "PCIe lanes in use.", _scaled("pcie_width")),
    ("stoker_gpu_pcie_lanes_max", "PCIe lanes possible.", _scaled("pcie_width_max")),
    ("stoker_gpu_pcie_generation", "PCIe generation in use; drops when idle.", _scaled("pcie_gen")),
    ("stoker_gpu_pcie_generation_max", "PCIe generation possible.", _scaled("pcie_gen_max")),
    ("stoker_gpu_nvlinks_active", "NVLinks that are up.", _links_up),
)

COUNTERS: tuple[tuple[str, str, Read], ...] = (
    (
        "stoker_gpu_thermal_slowdown_seconds",
        "Time slowed down by hardware heat.",
        _scaled("thermal_ns", 1e-9),
    ),
    (
        "stoker_gpu_power_brake_seconds",
        "Time slowed down by the power brake.",
        _scaled("brake_ns", 1e-9),
    ),
    ("stoker_gpu_pcie_replays", "PCIe packets sent again.", _scaled("pcie_replays")),
    ("stoker_gpu_nvlink_errors", "Errors on all NVLinks.", _link_errors),
)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, gpus: Iterable[Gpu], read: Read
) -> Metric:
    for gpu in gpus:
        value = read(gpu)
        if value is not None:
            family.add_metric([gpu.uuid], value)
    return family


def _info(gpus: Iterable[Gpu]) -> Metric:
    family = GaugeMetricFamily(
        "stoker_gpu_info", "The GPU: its place and its name.", labels=["uuid", "index", "name"]
    )
    for gpu in gpus:
        if gpu.name:
            family.add_metric([gpu.uuid, str(gpu.index), gpu.name], 1)
    return family


def _ecc(gpus: Iterable[Gpu]) -> Metric:
    family = CounterMetricFamily(
        "stoker_gpu_ecc_errors",
        "ECC errors since the driver was loaded or the GPU reset.",
        labels=["uuid", "type"],
    )
    for gpu in gpus:
        kinds = (("corrected", gpu.ecc_corrected), ("uncorrected", gpu.ecc_uncorrected))
        for kind, value in kinds:
            if value is not None:
                family.add_metric([gpu.uuid, kind], value)
    return family


def _reasons(gpus: Iterable[Gpu]) -> Metric:
    family = GaugeMetricFamily(
        "stoker_gpu_clock_reason",
        "1 for what holds the clocks down now, as nvml.h names it.",
        labels=["uuid", "reason"],
    )
    for gpu in gpus:
        if gpu.clock_reasons is not None:
            for bit, name in CLOCK_REASONS.items():
                family.add_metric([gpu.uuid, name], float(bool(gpu.clock_reasons & bit)))
    return family
