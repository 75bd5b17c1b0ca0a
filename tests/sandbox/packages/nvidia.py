"""Stubs of NVIDIA's driver packages, with the dependencies of the real ones. Pure."""

from pathlib import Path

from tests.sandbox.archive import Entry
from tests.sandbox.packages.deb import Package
from tests.sandbox.packages.stub import enable, stub

FILES = Path(__file__).parent / "files"
VERSIONS = ("595.91.07-1", "580.178.04-1")
LIBRARY = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"
PINNED = (
    "nvidia-driver* nvidia-kernel-* nvidia-open* nvidia-persistenced nvidia-modprobe "
    "nvidia-fabricmanager* libnvidia-ml* libnvidia-cfg* libnvidia-nvvm* libcuda1 cuda-drivers*"
)


def packages(nvml: bytes, nvidia_smi: bytes) -> list[Package]:
    """Give every package of the driver repository; `nvml` is the library, `nvidia_smi` the tool."""
    branches = [pinning(version.split(".")[0]) for version in VERSIONS]
    drivers = [one for version in VERSIONS for one in driver(version, nvml, nvidia_smi)]
    return [*branches, *drivers]


def pinning(branch: str) -> Package:
    """Give the package that keeps a host on a driver branch. Like the real one it has no conflict
    with that of another branch: whichever is there first wins.
    """
    name = f"nvidia-driver-pinning-{branch}"
    pin = f"Package: {PINNED}\nPin: version {branch}*\nPin-Priority: 1000\n"
    return stub(name, f"{branch}-1", files={f"/etc/apt/preferences.d/{name}": Entry(pin.encode())})


def driver(version: str, nvml: bytes, nvidia_smi: bytes) -> list[Package]:
    """Give the packages of one driver version."""
    same = f"(= {version})"
    devices = "nvidia-devices.service"
    persistence = "nvidia-persistenced.service"
    kernel = {
        "/usr/libexec/nvidia/make-devices": Entry((FILES / "make-devices").read_bytes(), 0o755),
        f"/usr/lib/systemd/system/{devices}": Entry((FILES / devices).read_bytes()),
    }
    daemon = {f"/usr/lib/systemd/system/{persistence}": Entry((FILES / persistence).read_bytes())}
    return [
        stub("libnvidia-ml1", version, files={LIBRARY: Entry(nvml)}, scripts=ldconfig()),
        stub("nvidia-kernel-open-dkms", version, files=kernel, scripts=enable(devices)),
        stub("nvidia-persistenced", version, files=daemon, scripts=enable(persistence)),
        stub(
            "nvidia-driver-cuda",
            version,
            depends=f"libnvidia-ml1 {same}, nvidia-kernel-open-dkms {same}, "
            f"nvidia-persistenced {same}, python3",
            files={"/usr/bin/nvidia-smi": Entry(nvidia_smi, 0o755)},
        ),
    ]


def ldconfig() -> dict[str, str]:
    """Give the scripts that tell the dynamic linker of a library that came or went."""
    script = "#!/bin/sh\nset -e\nldconfig\n"
    return {"postinst": script, "postrm": script}
