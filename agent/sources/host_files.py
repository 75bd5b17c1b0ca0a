"""What the host's files tell. Each function looks once, and may hang where its disk does."""

import os
import re
from contextlib import suppress
from pathlib import Path

import msgspec

from agent.sources.pci import NVIDIA

SWITCH_CLASS = "0x0680"  # PCI: bridge, other
_LIBRARY = re.compile(r"libnvidia-ml\.so\.(\d+(?:\.\d+)+)")


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """Where the host's files lie; tests move them. `libraries`: Debian's places, then others'."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    shm: Path = Path("/dev/shm")  # noqa: S108 - only looked at
    libraries: tuple[Path, ...] = (
        Path("/usr/lib/x86_64-linux-gnu"),
        Path("/usr/lib/aarch64-linux-gnu"),
        Path("/usr/lib64"),
        Path("/usr/lib"),
    )


HERE = Roots()


def driver_loaded(roots: Roots) -> str | None:
    """Return the version of the loaded kernel module; None when none is loaded."""
    with suppress(OSError):
        return (roots.sys / "module/nvidia/version").read_text().strip() or None
    return None


def driver_library(roots: Roots) -> str | None:
    """Return the version of the NVML that a new process would load; None when it has no number.

    The loader looks for libnvidia-ml.so.1, a link to the file that has the version in its name.
    """
    for directory in roots.libraries:
        link = directory / "libnvidia-ml.so.1"
        if link.exists():
            found = _LIBRARY.fullmatch(link.resolve().name)
            return found[1] if found else None
    return None


def open_files(roots: Roots) -> tuple[int | None, int | None]:
    """Return how many files are open, and how many may be (proc(5), file-nr)."""
    with suppress(OSError, ValueError):
        used, _, most = (roots.proc / "sys/fs/file-nr").read_text().split()
        return int(used), int(most)
    return None, None


def nvswitches(roots: Roots) -> int:
    """Return the number of NVSwitches on the PCI bus.

    Of NVLink 5 (Blackwell) there are none to be seen there; the driver tells of their fabric.
    """
    with suppress(OSError):
        return sum(map(_is_switch, (roots.sys / "bus/pci/devices").iterdir()))
    return 0


def space(path: str) -> tuple[int, int]:
    """Return bytes free for ordinary users, and bytes in all, where `path` lies; or `OSError`."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def read_only(path: str, roots: Roots) -> bool:
    """Say whether the file system itself takes no writes, as one does after an error.

    The mount's own flag would not do: systemd's ProtectSystem shows us all mounts read-only. The
    options after the dash of /proc/self/mountinfo are those of the file system.
    """
    real, best, answer = os.path.realpath(path), "", False
    for line in (roots.proc / "self/mountinfo").read_text(errors="surrogateescape").splitlines():
        mount, _, filesystem = line.partition(" - ")
        point = mount.split()[4]
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # of mounts on one point the last is on top
            best, answer = point, "ro" in filesystem.split()[2].split(",")
    return answer


def _is_switch(device: Path) -> bool:
    try:
        kind = (device / "class").read_text()
        return kind.startswith(SWITCH_CLASS) and (device / "vendor").read_text().strip() == NVIDIA
    except OSError:  # it went away while we looked
        return False
