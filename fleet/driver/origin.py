"""Where the driver that is there came from, and whether it may stay as it is."""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from agent.model import Value
from agent.spec import DriverSpec
from fleet.driver import branches
from fleet.driver.pci import Flavour, Gpu
from fleet.facts.bare import Bare
from fleet.facts.nvidia import Package

# ours: by a deploy · nvidia: NVIDIA's repository, by somebody else · elsewhere: no package of it
Where = Literal["none", "ours", "nvidia", "distribution", "run", "elsewhere"]
WORDS: dict[Where, str] = {
    "none": "nowhere",
    "ours": "a deploy",
    "nvidia": "NVIDIA's repository",
    "distribution": "the distribution's packages",
    "run": "a .run file",
    "elsewhere": "no package",
}
# The parts that two sources must not both have; tools such as nvidia-settings do no harm.
_PARTS = re.compile(r"libcuda1$|libnvidia-(compute|ml)|nvidia-(driver|dkms|kernel|utils|headless)")
_NOT = re.compile(r"nvidia-driver-(pinning|assistant)|nvidia-kernel-common$")
_VERSION = re.compile(r"^(?:\d+:)?(\d{3}\.\d+(?:\.\d+)?)")
# Ubuntu's releases and its PPA number their revisions so, Debian's packages say whose they are;
# the -server packages are in Ubuntu's archive only.
_UBUNTU = re.compile(r"ubuntu0|~gpu")


class Origin(Value, frozen=True, kw_only=True):
    """What is there. `parts` = packages of the driver, `foreign` = those of a distribution.

    `version` of what answers, else of what is installed; empty = nothing is there.
    """

    where: Where
    version: str = ""
    parts: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()

    @property
    def branch(self) -> int:
        """The branch of the version; 0 = there is none."""
        return int(self.version.split(".")[0]) if self.version else 0


def of(found: Bare) -> Origin:
    """Tell where the driver came from."""
    there = found.nvidia
    parts = [one for one in there.packages if _part(one)]
    foreign = tuple(one.name for one in parts if _foreign(one))
    versions = (match[1] for one in parts if (match := _VERSION.match(one.version)))
    version = there.answers or next(versions, "") or there.module
    where: Where = "none"
    if found.run_file:
        where = "run"
    elif foreign:
        where = "distribution"
    elif parts:
        where = "ours" if there.ours else "nvidia"
    elif version:
        where = "elsewhere"
    return Origin(
        where=where, version=version, parts=tuple(one.name for one in parts), foreign=foreign
    )


def unfit(origin: Origin, found: Bare, spec: DriverSpec, gpus: Sequence[Gpu]) -> str | None:
    """Say why a driver of somebody else may not stay as it is; None = it may."""
    return next(_reasons(origin, found, spec, gpus), None)


def _reasons(origin: Origin, found: Bare, spec: DriverSpec, gpus: Sequence[Gpu]) -> Iterator[str]:
    there = found.nvidia
    if not spec.adopt:
        yield "driver_adopt is False"
    if not there.answers:
        yield "it does not answer nvidia-smi"
    if len(found.cards) < spec.gpu_count:
        yield f"it shows {len(found.cards)} of {spec.gpu_count} GPUs"
    if origin.branch < branches.LEAST:
        yield f"engines need {branches.LEAST} or later"
    if spec.version and spec.version != origin.version:
        yield f"driver_version is {spec.version}"
    if there.open is not None:
        flavour: Flavour = "open" if there.open else "proprietary"
        for gpu in gpus:
            if flavour not in gpu.generation.flavours:
                yield f"its kernel module is {flavour}, which does not drive {gpu.name}"
    if there.fabric and there.fabric != origin.version:
        yield f"Fabric Manager is {there.fabric}, which must be the driver's version"


def _part(package: Package) -> bool:
    return bool(
        _PARTS.match(package.name)
        and not _NOT.match(package.name)
        and _VERSION.match(package.version)
    )


def _foreign(package: Package) -> bool:
    return bool(
        _UBUNTU.search(package.version)
        or "debian.org" in package.maintainer
        or "-server" in package.name
    )
