"""What the driver's packages are called, in NVIDIA's repository and in the distributions.

Sources: NVIDIA's driver installation guide (compute-only systems, version locking, "Ubuntu 590 and
later packages"), the Fabric Manager and IMEX user guides.
"""

import re

from fleet.driver.pci import Flavour

PIN_PREFIX = "nvidia-driver-pinning-"
PERSISTENCED = "nvidia-persistenced"
FABRIC_MANAGER = "nvidia-fabricmanager"
IMEX = "nvidia-imex"
# From here on Ubuntu's names in NVIDIA's repository have no branch in them.
UNNUMBERED = 590
# What unattended-upgrades must leave alone: a driver moved by night is a host without GPUs.
BLACKLIST = (
    "^nvidia-",
    "^libnvidia-",
    "^libcuda1$",
    "^cuda-",
    "^linux-(image|headers|modules)",
    "^nvlsm$",
)
# Kernels that a release came with; others of the same flavour have a meta-package of their own.
_FIRST_KERNEL = {"24.04": "6.8.", "26.04": "7.0."}
_ENABLED = {"generic", "lowlatency", "nvidia"}


def driver(family: str, branch: int, flavour: Flavour) -> tuple[str, ...]:
    """Return what a host that only computes needs: libraries, kernel module, persistence."""
    opened = flavour == "open"
    if family == "debian":
        kernel = "nvidia-kernel-open-dkms" if opened else "nvidia-kernel-dkms"
        return ("nvidia-driver-cuda", kernel, PERSISTENCED)
    if branch >= UNNUMBERED:
        return ("libnvidia-compute", "nvidia-dkms-open" if opened else "nvidia-dkms", PERSISTENCED)
    kernel = f"nvidia-dkms-{branch}-open" if opened else f"nvidia-dkms-{branch}"
    return (f"libnvidia-compute-{branch}", kernel, f"nvidia-utils-{branch}", PERSISTENCED)


def conflicts(family: str, branch: int, flavour: Flavour) -> tuple[str, ...]:
    """Return the package of the other flavour of the kernel module."""
    other: Flavour = "proprietary" if flavour == "open" else "open"
    return tuple(name for name in driver(family, branch, other) if "dkms" in name)


def headers(family: str, version: str, kernel: str) -> tuple[str, ...]:
    """Return the running kernel's headers, and the meta-package that brings the next kernel's.

    `kernel` = `uname -r`; `version` = VERSION_ID of the distribution.
    """
    line = kernel_line(family, version, kernel)
    return (f"linux-headers-{kernel}", *([f"linux-headers-{line}"] if line else []))


def kernels(family: str, version: str, kernel: str) -> tuple[str, ...]:
    """Return the meta-packages that would bring the next kernel; not all of them are installed."""
    line = kernel_line(family, version, kernel)
    if not line:
        return ()
    return (f"linux-image-{line}", *([f"linux-{line}"] if family == "ubuntu" else []))


def kernel_line(family: str, version: str, kernel: str) -> str:
    """Return what the meta-packages of a kernel are called after; empty = it has none we know.

    6.12.57+deb13-cloud-amd64 → cloud-amd64, 6.8.0-88-generic → generic, 6.17.0-14-generic →
    generic-hwe-24.04.
    """
    if family == "debian":
        found = re.search(r"-((?:cloud-|rt-)?amd64)$", kernel)
        return found[1] if found else ""
    parts = kernel.split("-", 2)
    if len(parts) < 3:
        return ""
    flavour, first = parts[2], _FIRST_KERNEL.get(version, "")
    later = flavour in _ENABLED and not kernel.startswith(first)
    return f"{flavour}-hwe-{version}" if later else flavour
