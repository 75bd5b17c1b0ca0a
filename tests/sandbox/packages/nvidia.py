"""Stubs of NVIDIA's driver packages, with the dependencies of the real ones. Pure."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.archive import Entry
from tests.sandbox.packages.deb import Package
from tests.sandbox.packages.module import module
from tests.sandbox.packages.stub import stub

FILES = Path(__file__).parent / "files"
# The first is the one that a deploy without further wishes installs.
VERSIONS = ("595.91.07-1", "580.178.04-1", "620.70.06-1")
LATER = "595.97.02-1"  # a point release of the same branch, to be published while a test runs
LAST_PROPRIETARY = 610
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
OWN_VERSION, ROOM = b"STOKER-OWN-VERSION:", 23  # in the simulated library
PINNED = (
    "nvidia-driver* nvidia-kernel-* nvidia-open* nvidia-persistenced nvidia-modprobe "
    "nvidia-fabricmanager* libnvidia-ml* libnvidia-cfg* libnvidia-nvvm* libcuda1 cuda-drivers*"
)


@dataclass(frozen=True)
class Parts:
    """What the packages are made of: NVML's library, nvidia-smi, and a module without a version."""

    nvml: bytes
    nvidia_smi: bytes
    module: bytes


def packages(parts: Parts, versions: Sequence[str] = VERSIONS) -> list[Package]:
    """Give every package of the driver repository."""
    pins = sorted({pin for version in versions for pin in (_branch(version), _upstream(version))})
    drivers = [one for version in versions for one in driver(version, parts)]
    return [*map(pinning, pins), *drivers, *headers(os.uname().release)]


def pinning(prefix: str) -> Package:
    """Give the package that keeps a host on a driver branch, or on one version.

    Like the real one it has no conflict with any other such package: with two of them, apt takes
    the higher version that either of them pins.
    """
    name = f"nvidia-driver-pinning-{prefix}"
    pin = f"Package: {PINNED}\nPin: version {prefix}*\nPin-Priority: 1000\n"
    return stub(name, f"{prefix}-1", files={f"/etc/apt/preferences.d/{name}": Entry(pin.encode())})


def driver(version: str, parts: Parts) -> Iterator[Package]:
    """Give the packages of one driver version."""
    upstream, same = _upstream(version), f"(= {version})"
    library = parts.nvml.replace(
        OWN_VERSION + bytes(ROOM), OWN_VERSION + upstream.encode().ljust(ROOM, b"\0")
    )
    kernel = f"nvidia-kernel-open-dkms {same}"
    yield stub(
        "libnvidia-ml1",
        version,
        files={f"{LIBRARIES}/libnvidia-ml.so.{upstream}": Entry(library)},
        scripts=_ldconfig(),
    )
    yield stub("libcuda1", version, depends=f"libnvidia-ml1 {same}")
    yield _kernel("nvidia-kernel-open-dkms", "nvidia-kernel-dkms", version, parts)
    if int(_branch(version)) <= LAST_PROPRIETARY:
        yield _kernel("nvidia-kernel-dkms", "nvidia-kernel-open-dkms", version, parts)
        kernel += f" | nvidia-kernel-dkms {same}"
    yield _persistence(version)
    yield stub(
        "nvidia-driver-cuda",
        version,
        depends=f"libcuda1 {same}, libnvidia-ml1 {same}, {kernel}, nvidia-persistenced {same}, "
        "python3",
        files={"/usr/bin/nvidia-smi": Entry(parts.nvidia_smi, 0o755)},
    )
    yield _fabric_manager(version)
    yield stub("nvlsm", version)


def headers(kernel: str) -> list[Package]:
    """Give the headers of the machine's own kernel, which no distribution of the hosts has."""
    name = f"linux-headers-{kernel}"
    return [stub(name, "1"), stub("linux-headers-amd64", "99", depends=name)]


def _kernel(name: str, other: str, version: str, parts: Parts) -> Package:
    built = module(parts.module, _upstream(version), opened="open" in name)
    files = {
        "/usr/src/nvidia-sandbox/nvidia.ko": Entry(built),
        "/usr/libexec/nvidia/make-devices": _program("make-devices"),
        "/usr/libexec/nvidia/load-module": _program("load-module"),
        "/usr/lib/modprobe.d/nvidia-sandbox.conf": Entry(
            b"install nvidia /usr/libexec/nvidia/load-module\n"
        ),
        "/usr/lib/systemd/system/nvidia-devices.service": _file("nvidia-devices.service"),
    }
    scripts = {
        "postinst": (FILES / "dkms-build").read_text(),
        "prerm": (FILES / "dkms-remove").read_text(),
    }
    return stub(name, version, depends="kmod", conflicts=other, files=files, scripts=scripts)


def _persistence(version: str) -> Package:
    unit = "nvidia-persistenced.service"
    files = {
        "/usr/bin/nvidia-persistenced": _program("nvidia-persistenced"),
        f"/usr/lib/systemd/system/{unit}": _file(unit),
    }
    # Like Ubuntu's it is neither enabled nor started by its package: udev does that there.
    depends = f"libnvidia-ml1 (= {version}), kmod, python3"
    return stub("nvidia-persistenced", version, depends=depends, files=files)


def _fabric_manager(version: str) -> Package:
    unit = "nvidia-fabricmanager.service"
    program = (FILES / "nv-fabricmanager").read_text().replace("@VERSION@", _upstream(version))
    files = {
        "/usr/bin/nv-fabricmanager": Entry(program.encode(), 0o755),
        f"/usr/lib/systemd/system/{unit}": _file(unit),
    }
    # The real one is neither enabled nor started by its package.
    return stub("nvidia-fabricmanager", version, files=files)


def _program(name: str) -> Entry:
    return Entry((FILES / name).read_bytes(), 0o755)


def _file(name: str) -> Entry:
    return Entry((FILES / name).read_bytes())


def _upstream(version: str) -> str:
    return version.partition("-")[0]


def _branch(version: str) -> str:
    return version.partition(".")[0]


def _ldconfig() -> dict[str, str]:
    """Give the scripts that tell the dynamic linker of a library that came or went."""
    script = "#!/bin/sh\nset -e\nldconfig\n"
    return {"postinst": script, "postrm": script}
