"""What is in the way of a driver's installation, and what only deserves a word. Sentences."""

import re
from collections.abc import Iterator, Sequence

from agent.spec import DriverSpec
from fleet.driver.origin import WORDS, Origin
from fleet.driver.pci import Gpu
from fleet.facts.bare import Bare


def mixed(origin: Origin, reason: str) -> str:
    """Refuse to lay packages of NVIDIA over a driver from elsewhere that may not stay."""
    had = f"has driver {origin.version or 'packages'} from {WORDS[origin.where]}"
    if origin.where == "run":
        return (
            f"{had}, and {reason}; packages must not be laid over it: remove it first with "
            "nvidia-uninstall"
        )
    purge = " ".join(origin.foreign)
    return (
        f"{had}, and {reason}; NVIDIA's packages must not be mixed with it: remove it first with "
        f"apt-get purge {purge}"
    )


def install(found: Bare) -> Iterator[str]:
    """Yield what keeps a driver from being installed, or from being loaded afterwards."""
    there = found.nvidia
    if there.sources:
        yield (
            f"has another source of the driver in {', '.join(there.sources)}, which gets in the "
            "way of ours: remove it first, by apt-get purge cuda-keyring or by deleting the file"
        )
    for device in there.gpus:
        if device.bound == "vfio-pci":
            yield (
                f"GPU {device.address} is bound to vfio-pci, to be given to a virtual machine: "
                "release it first, or lower driver_gpu_count"
            )
    if found.container:  # builds no kernel module: the machine's driver is used
        return
    if there.headers is False:
        yield (
            f"runs Linux {there.kernel}, whose headers are not installed and not in apt's lists, "
            f"so no kernel module can be built: install linux-headers-{there.kernel} first, or "
            "boot a kernel that the distribution has headers for"
        )
    # A module that is loaded was let in.
    if there.secure_boot and there.mok is False and not there.module:
        yield _secure_boot(found)


def _secure_boot(found: Bare) -> str:
    signed = (
        ", or install Ubuntu's own signed driver, which driver_adopt then leaves as it is"
        if found.os.startswith("ubuntu")
        else ""
    )
    return (
        "has Secure Boot on and no key enrolled that DKMS could sign with, so the kernel will "
        "refuse the driver's module: enrol DKMS's key with mokutil --import and confirm it at the "
        f"console{signed}, or switch Secure Boot off in the firmware; a deploy does neither "
        "(docs/drivers.md)"
    )


def split(spec: DriverSpec, gpus: Sequence[Gpu]) -> Iterator[str]:
    """Yield what `driver_mig` wants to split and cannot."""
    for key in spec.mig:
        whole = [
            f"{index} ({gpu.name})"
            for index, gpu in enumerate(gpus)
            if key in {"all", str(index)} and gpu.mig is False
        ]
        if whole:
            yield f"driver_mig[{key!r}]: GPU {', '.join(whole)} cannot be split into instances"


def warnings(found: Bare, gpus: Sequence[Gpu], *, reboot: bool) -> Iterator[str]:
    """Yield what an operator should know before a driver is installed."""
    there = found.nvidia
    for gpu in dict.fromkeys(gpus):
        if gpu.generation.name == "unknown":
            yield (
                f"has {gpu.name}, newer than our table: it gets open kernel modules; if they do "
                "not drive it, set driver_branch to NVIDIA's newest"
            )
    nouveau = [device.address for device in there.gpus if device.bound == "nouveau"]
    if nouveau:
        then = "it takes a reboot" if reboot else "reboot it yourself (driver_reboot is False)"
        yield f"nouveau has GPU {', '.join(nouveau)}: to change to NVIDIA's driver, {then}"
    if found.container:
        return
    if there.secure_boot and there.mok is None and not there.module:
        yield (
            "has Secure Boot on, and nothing tells whether the key that DKMS signs with is "
            "enrolled (no mokutil); if it is not, the driver's module will not load"
        )
    if newest := newer(there.kernel, there.kernels):
        yield (
            f"runs Linux {there.kernel}, but {newest} is installed and starts at the next boot; "
            "the driver is built for both where both have headers"
        )
    elif there.reboot_required:
        yield "waits for a reboot (/run/reboot-required)"


def newer(kernel: str, installed: Sequence[str]) -> str:
    """Return the newest installed kernel of the running one's kind, if it is newer; else empty."""
    kind = _kind(kernel)
    later = [one for one in installed if _kind(one) == kind and _order(one) > _order(kernel)]
    return max(later, key=_order, default="")


def _kind(kernel: str) -> str:
    return re.sub(r"^[\d.+~-]*(?:deb\d+(?:u\d+)?|bpo\.?\d*)?[\d.+~-]*", "", kernel)


def _order(kernel: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", kernel)]
