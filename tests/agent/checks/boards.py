"""GPUs as products show them, and rounds of readings made of them."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from agent.model import CheckResult
from agent.sources import Edges, Reading, Source, Sources
from agent.sources.engine import EngineReading
from agent.sources.gateway import GatewayReading
from agent.sources.gpu import Gpu, Link, NvmlReading
from agent.sources.host import HostReading
from agent.sources.kmsg import LogReading
from agent.sources.nvml_health import DriverReading
from agent.spec import HostSpec
from agent.trends import Trends, fold
from tests.agent.fakes import GOOD_GATEWAY, FakeSource

DATA = {
    "engine_image": "x@sha256:" + "a" * 64,
    "engine_model": "a/b",
    "engine_revision": "a" * 40,
}
SPEC = HostSpec.from_data("host", {**DATA, "driver_gpu_count": 1})
NO_GPU = HostSpec.from_data("host", {**DATA, "driver_gpu_count": 0, "engine_gpus": 0})

NOW = 10_000.0


def spec(gpus: int = 1, **data: object) -> HostSpec:
    return HostSpec.from_data("host", {**DATA, "driver_gpu_count": gpus, **data})


def links(up: int, down: int = 0, errors: int | None = 0) -> tuple[Link, ...]:
    return tuple(Link(number=i, active=i < up, errors=errors) for i in range(up + down))


EMPTY = Gpu(index=0, uuid="GPU-0", pci="00000000:01:00.0")  # a driver that tells nothing more
L4 = msgspec.structs.replace(
    EMPTY,
    name="NVIDIA L4",
    memory_total=24 * 2**30,
    memory_used=0,
    temperature=40,
    power=16_000,
    utilisation=0,
    performance_state=8,
    recovery_action=0,
    clock_reasons=0x1,
    thermal_ns=0,
    brake_ns=0,
    ecc_uncorrected=0,
    ecc_corrected=0,
    sram_threshold=False,
    remap_pending=False,
    remap_failed=False,
    pcie_width=16,
    pcie_width_max=16,
    pcie_gen=1,  # it idles
    pcie_gen_max=4,
    pcie_replays=0,
    fabric_state=0,
    persistence=True,
    mig=False,
    processes=(),
)
H100_SXM = msgspec.structs.replace(
    L4,
    name="NVIDIA H100 80GB HBM3",
    performance_state=0,
    pcie_gen=5,
    pcie_gen_max=5,
    links=links(18),
    fabric_state=3,
    fabric_status=0,
    # Nothing degraded, no recovery, no unhealthy route, no timeout (2 = false), configured well.
    fabric_health=2 | 2 << 2 | 2 << 4 | 2 << 6 | 1 << 8,
)
H100_PCIE = msgspec.structs.replace(  # without a bridge
    L4,
    name="NVIDIA H100 PCIe",
    performance_state=0,
    pcie_gen=5,
    pcie_gen_max=5,
    links=links(0, 18),
)
A100_SXM = msgspec.structs.replace(  # knows switches, but no fabric to register with
    L4,
    name="NVIDIA A100-SXM4-80GB",
    performance_state=0,
    pcie_gen=4,
    recovery_action=None,
    sram_threshold=None,
    links=links(12),
    fabric_state=None,
)
V100 = msgspec.structs.replace(
    L4,
    name="Tesla V100-PCIE-16GB",
    performance_state=0,
    pcie_gen=3,
    pcie_gen_max=3,
    recovery_action=None,
    sram_threshold=None,
    remap_pending=None,
    remap_failed=None,
    retired_pending=False,
    mig=None,
    fabric_state=None,
    links=(),
)
CONSUMER = msgspec.structs.replace(  # GeForce: no ECC, and so nothing to repair
    L4,
    name="NVIDIA GeForce RTX 4090",
    recovery_action=None,
    ecc_uncorrected=None,
    ecc_corrected=None,
    sram_threshold=None,
    remap_pending=None,
    remap_failed=None,
    mig=None,
    fabric_state=None,
)
MIG_PARENT = msgspec.structs.replace(
    H100_SXM,
    utilisation=None,
    remap_pending=None,
    remap_failed=None,
    mig=True,
    processes=None,
    links=links(0, 18),  # put to sleep
    fabric_state=1,
)

BOARDS = {
    "L4": L4,
    "H100 SXM": H100_SXM,
    "H100 PCIe": H100_PCIE,
    "A100": A100_SXM,
    "V100": V100,
    "GeForce": CONSUMER,
    "MIG": MIG_PARENT,
}

WELL = HostReading(
    shm_free=90,
    shm_total=100,
    files_open=1000,
    files_max=9_223_372_036_854_775_807,
    driver_loaded="595.91.07",
    driver_library="595.91.07",
    clock_synchronised=True,
    units={
        "docker.service": "active",
        "containerd.service": "active",
        "nvidia-persistenced.service": "active",
        "nvidia-fabricmanager.service": "",
    },
)


def gpu(board: Gpu = L4, **facts: object) -> Gpu:
    """Return the board with `facts` laid over."""
    return msgspec.structs.replace(board, **facts)


def poll(*gpus: Gpu) -> NvmlReading:
    """Return a poll of these GPUs; those but the first get a place and a name of their own."""
    seats = [
        msgspec.structs.replace(one, index=i, uuid=one.uuid and f"GPU-{i}")
        for i, one in enumerate(gpus)
    ]
    return NvmlReading(driver="595.91.07", gpus=tuple(seats))


def history(*readings: NvmlReading, every: float = 1.0) -> Trends:
    """Return the trends after these polls."""
    trends = Trends()
    for number, reading in enumerate(readings):
        trends = fold(trends, reading, NOW + number * every)
    return trends


class Round(Sources):
    """One round of readings, that nobody had to look for."""

    def __init__(
        self,
        *,
        nvml: Reading[NvmlReading] | NvmlReading | None = None,
        pci: int | None = None,
        host: HostReading | None = None,
        log: LogReading | None = None,
        engines: Mapping[str, Reading[EngineReading]] | None = None,
        trends: Trends | None = None,
        driver: DriverReading | None = None,
        gateway: GatewayReading | None = GOOD_GATEWAY,
    ) -> None:
        nobody = cast("Source[Any]", FakeSource(None))
        edges = Edges(
            engines={},
            nvml=nobody,
            pci=nobody,
            host=nobody,
            log=nobody,
            pids=nobody,
            gateway=nobody,
            driver=lambda: driver or DriverReading(),
        )
        super().__init__(edges)
        self.nvml = nvml if isinstance(nvml, Reading) else _reading(nvml)
        self.pci, self.host, self.log = _reading(pci), _reading(host), _reading(log)
        self.gateway = _reading(gateway)
        self.engines = dict(engines or {})
        self.trends = trends or (history(self.nvml.value) if self.nvml.value else Trends())


def _reading(value: Any) -> Reading[Any]:
    return Reading(value, "" if value is not None else "nobody looked", NOW)


def said(results: list[CheckResult], subject: str) -> CheckResult:
    """Return the one result about a subject."""
    (found,) = [result for result in results if result.subject == subject]
    return found
