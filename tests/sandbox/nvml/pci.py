"""A directory that looks like /sys/bus/pci/devices on a host with the simulated GPUs."""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from tests.sandbox.nvml.state import gpu_pci

# An H100 SXM (measured); class 0x0302: 3D controller.
_FILES = {
    "vendor": "0x10de",
    "device": "0x2330",
    "class": "0x030200",
    "subsystem_vendor": "0x10de",
    "subsystem_device": "0x16c1",
    "current_link_speed": "32.0 GT/s PCIe",
    "max_link_speed": "32.0 GT/s PCIe",
    "numa_node": "-1",
}

# An NVSwitch of an HGX H100; class 0x0680: a bridge of no other kind.
_SWITCH = {"vendor": "0x10de", "device": "0x22a3", "class": "0x068000"}


def write_pci(
    directory: Path,
    gpus: int = 2,
    *,
    link_width: int = 16,
    max_link_width: int = 16,
    absent: Collection[int] = (),
    device: str = _FILES["device"],
    switches: int = 0,
) -> None:
    """Make `directory` hold one entry per GPU, such as `0000:06:00.0/vendor`, and no other.

    `device` = the id of the GPUs, such as "0x1db4"; `switches` = NVSwitches beside them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for entry in directory.iterdir():
        shutil.rmtree(entry)
    widths = {"current_link_width": str(link_width), "max_link_width": str(max_link_width)}
    for index in range(gpus):
        if index not in absent:
            address = gpu_pci(index)[4:].lower()
            _write(directory / address, _FILES | widths | {"device": device})
    for index in range(switches):
        _write(directory / f"0000:8{index}:00.0", _SWITCH)


def _write(function: Path, files: Mapping[str, str]) -> None:
    function.mkdir()
    for name, text in files.items():
        (function / name).write_text(text + "\n")
