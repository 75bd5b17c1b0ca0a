"""NVIDIA GPUs on the PCI bus, as the kernel lists them: seen even when the driver sees nothing."""

from pathlib import Path

from agent.errors import SourceError

NVIDIA = "0x10de"
GPU_CLASSES = ("0x0302", "0x0300")  # 3D controller, VGA controller


class PciSource:
    """Counts GPUs in sysfs."""

    def __init__(self, devices: Path = Path("/sys/bus/pci/devices")) -> None:
        self._devices = devices

    async def read(self) -> int:
        """Return the number of NVIDIA GPUs on the bus; `SourceError` when sysfs is not there."""
        try:
            return sum(map(self._is_gpu, self._devices.iterdir()))
        except OSError as error:
            raise SourceError(f"{self._devices}: {error}") from error

    @staticmethod
    def _is_gpu(device: Path) -> bool:
        try:
            vendor = (device / "vendor").read_text().strip()
            kind = (device / "class").read_text().strip()
        except OSError:  # it went away while we looked
            return False
        return vendor == NVIDIA and kind.startswith(GPU_CLASSES)
