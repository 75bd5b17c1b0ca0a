"""Hosts with GPUs to decide about."""

from typing import Any

from msgspec.structs import replace

from fleet.driver import verdict
from fleet.driver.verdict import Decision
from fleet.facts.bare import Bare, Reported
from fleet.facts.nvidia import Device, Nvidia, Package
from tests.fleet.samples import spec

NVIDIA = "cudatools <cudatools@nvidia.com>"
DEBIAN = "Debian NVIDIA Maintainers <pkg-nvidia-devel@lists.alioth.debian.org>"
UBUNTU = "Ubuntu Core Developers <ubuntu-devel-discuss@lists.ubuntu.com>"
ARCHIVE = (
    Package("libnvidia-compute-590", "590.48.01-0ubuntu0.24.04.5", UBUNTU),
    Package("nvidia-dkms-590-open", "590.48.01-0ubuntu0.24.04.5", UBUNTU),
)
OWN = (
    Package("nvidia-driver-pinning-595", "595-1", NVIDIA),
    Package("nvidia-driver-cuda", "595.91.07-1", NVIDIA),
    Package("nvidia-kernel-open-dkms", "595.91.07-1", NVIDIA),
)
CARD = Reported("NVIDIA H100 80GB HBM3", 81559, "9.0")


def gpus(*ids: str, bound: str = "") -> tuple[Device, ...]:
    return tuple(Device(f"0000:{n:02x}:00.0", one, bound) for n, one in enumerate(ids, 6))


H100 = Nvidia(
    gpus=gpus("2330"),
    kernel="6.12.57+deb13-amd64",
    kernels=("6.12.57+deb13-amd64",),
    headers=True,
    secure_boot=False,
)
WORKING = replace(H100, module="590.48.01", open=True, answers="590.48.01")


def bare(nvidia: Nvidia = H100, os: str = "debian-13", **changes: Any) -> Bare:
    cards = (CARD,) * len(nvidia.gpus) if nvidia.answers else ()
    return replace(
        Bare(os=os, machine="x86_64", python="3.13", nvidia=nvidia, cards=cards), **changes
    )


def decide(found: Bare, **data: Any) -> Decision:
    return verdict.of(spec(**data), found)


def change(nvidia: Nvidia, **changes: Any) -> Nvidia:
    return replace(nvidia, **changes)
