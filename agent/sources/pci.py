"""NVIDIA GPUs on the PCI bus, as the kernel lists them: seen even when the driver sees nothing."""

import time
from collections.abc import Callable
from pathlib import Path

from agent.errors import SourceError

NVIDIA = "0x10de"
GPU_CLASSES = ("0x0302", "0x0300")  # 3D controller, VGA controller


class PciSource:
    """Counts GPUs in sysfs, every `every` seconds; in between it shows the latest count."""

    def __init__(
        self,
        devices: Path = Path("/sys/bus/pci/devices"),
        every: float = 5.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._devices, self._every, self._now = devices, every, now
        self._latest, self._due = 0, float("-inf")

    async def read(self) -> int:
        """Return the number of NVIDIA GPUs on the bus; `SourceError` when sysfs is not there."""
        if self._now() >= self._due:
            try:
                self._latest = sum(map(self._is_gpu, self._devices.iterdir()))
            except OSError as error:
                raise SourceError(f"{self._devices}: {error}") from error
            self._due = self._now() + self._every
        return self._latest

    @staticmethod
    def _is_gpu(device: Path) -> bool:
        try:
            vendor = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:  # it went away while we looked
            return False
        return vendor == NVIDIA and kind.startswith(GPU_CLASSES)
