"""Are all GPUs there that the operator rented?"""

from collections.abc import Iterator

import msgspec

from agent.doctor.examinations.gpus import wanted
from agent.doctor.finding import Finding, fault
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.sources.pci import GPU_CLASSES, NVIDIA
from agent.spec import HostSpec

DEVICES = "/sys/bus/pci/devices/*"


def bus(seen: Seen) -> int:
    """Count the NVIDIA GPUs that the kernel lists on the PCI bus."""
    found = 0
    for device in seen.node.paths(DEVICES):
        vendor, kind = (seen.node.text(f"{device}/{file}") or "" for file in ("vendor", "class"))
        found += vendor.strip() == NVIDIA and kind.startswith(GPU_CLASSES)
    return found


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """GPUs on the PCI bus, and in the driver's list (None = it has none)."""

    on_bus: int
    listed: int | None = None


class GpuCount:
    """Are all GPUs there that the operator rented?"""

    name = "gpu_count"

    def read(self, seen: Seen, spec: HostSpec | None) -> Counts:
        """Count on the bus and in NVML."""
        try:
            listed = len(seen.gpus().reading.gpus) if wanted(spec) else None
        except SourceError:
            listed = None
        return Counts(on_bus=bus(seen), listed=listed)

    def judge(self, reading: Counts, spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """Compare with `driver_gpu_count`."""
        if spec is None or not spec.driver.gpu_count:
            return
        want = spec.driver.gpu_count
        if reading.on_bus < want:
            yield fault(
                f"{reading.on_bus} GPU(s) are on the PCI bus, driver_gpu_count is {want}: a card "
                "is missing or dead",
                "dmesg | grep -i 'fallen off the bus'; reboot; then reseat or replace it",
            )
        elif reading.listed is not None and reading.listed < want:
            yield fault(
                f"{reading.on_bus} GPUs are on the PCI bus, but the driver drives {reading.listed}",
                "dmesg | grep -i nvrm: the driver says why; then reboot",
            )
