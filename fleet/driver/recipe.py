"""What a host gets: branch, flavour of the kernel module, packages, and what must stay as it is."""

import re
from collections.abc import Sequence

from msgspec import Struct

from agent.errors import SpecError
from agent.spec import DriverSpec
from fleet.distributions import DISTRIBUTIONS
from fleet.driver import branches, fabrics, names
from fleet.driver.branches import Branch
from fleet.driver.pci import FLAVOURS, Flavour, Gpu
from fleet.operations.repository import Repository


class Recipe(Struct, frozen=True, kw_only=True):
    """What to install, package names in the order of installation.

    `pin` goes first and alone, once every other package that starts with `pin_prefix` is gone.
    `exact` = what must have the driver's very version. `version` None = the newest of the branch.
    `conflicts` = to be removed where it is there; `modules` = to be loaded now and at boot;
    `kernels` = not to be installed, but to be held where it is there: a kernel that comes without
    its headers gets no module.
    """

    branch: str
    flavour: Flavour
    standing: str
    repository: Repository
    pin: str
    headers: tuple[str, ...]
    driver: tuple[str, ...]
    conflicts: tuple[str, ...]
    kernels: tuple[str, ...] = ()
    fabric: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    version: str | None = None
    end_of_life: str = ""
    pin_prefix: str = names.PIN_PREFIX
    blacklist: tuple[str, ...] = names.BLACKLIST

    @property
    def packages(self) -> tuple[str, ...]:
        """Everything of the driver, without its pin and the headers."""
        return self.driver + self.fabric

    @property
    def held(self) -> tuple[str, ...]:
        """What `apt-mark hold` must keep."""
        return (self.pin, *self.headers, *self.packages)


class Host(Struct, frozen=True, kw_only=True):
    """What a recipe depends on of a host; `os` is a key of `DISTRIBUTIONS`.

    `kernels` = the running one (`uname -r`), then what starts at the next boot if that is another;
    empty = no kernel module is built there, as in a container. `switches` = NVSwitches.
    """

    os: str
    gpus: tuple[Gpu, ...]
    kernels: tuple[str, ...] = ()
    switches: int = 0


def of(spec: DriverSpec, host: Host) -> Recipe:
    """Return the recipe; raise `SpecError` with a sentence a line when there is none."""
    needed = flavour(host.gpus)
    branch = branches.resolve(spec.branch, spec.version, last(host.gpus), force=spec.force_branch)
    faults = _impossible(branch, host.gpus)
    for kernel in host.kernels:
        faults += _kernel(branch, kernel)
    if faults:
        raise SpecError("\n".join(faults))
    distribution = DISTRIBUTIONS[host.os]
    family, release = host.os.split("-", 1)
    fabric = fabrics.of(host.gpus, host.switches)
    return Recipe(
        branch=branch.name,
        flavour=needed,
        standing=branch.standing,
        repository=distribution.driver_repository(spec),
        pin=f"{names.PIN_PREFIX}{spec.version or branch.name}",
        headers=names.headers(family, release, host.kernels[0]) if host.kernels else (),
        kernels=names.kernels(family, release, host.kernels[0]) if host.kernels else (),
        driver=names.driver(family, branch.number, needed),
        conflicts=names.conflicts(family, branch.number, needed),
        fabric=fabric.packages,
        exact=fabric.exact,
        modules=fabric.modules,
        units=("nvidia-persistenced.service", *fabric.units),
        version=spec.version,
        end_of_life=branch.end_of_life,
    )


def flavour(gpus: Sequence[Gpu]) -> Flavour:
    """Return the flavour that drives all of them; raise `SpecError` when none does."""
    for one in FLAVOURS:
        if all(one in gpu.generation.flavours for gpu in gpus):
            return one
    closed = next(gpu for gpu in gpus if "open" not in gpu.generation.flavours)
    opened = next(gpu for gpu in gpus if "proprietary" not in gpu.generation.flavours)
    raise SpecError(
        f"has {closed.name} ({closed.generation.name}), which only the proprietary kernel module "
        f"drives, beside {opened.name} ({opened.generation.name}), which only the open one drives: "
        "no driver drives both; move one of them to another host"
    )


def last(gpus: Sequence[Gpu]) -> int:
    """Return the last branch that drives all of them; 0 = there is no last one."""
    return min((gpu.generation.last for gpu in gpus if gpu.generation.last), default=0)


def _impossible(branch: Branch, gpus: Sequence[Gpu]) -> list[str]:
    found = []
    for gpu in dict.fromkeys(gpus):
        if gpu.generation.last and gpu.generation.last < branches.LEAST:
            found.append(
                f"has {gpu.name}: the last driver for it is {gpu.generation.last}, and engines "
                f"need {branches.LEAST} or later; take a newer GPU"
            )
        elif gpu.generation.last and branch.number > gpu.generation.last:
            found.append(
                f"has {gpu.name} ({gpu.generation.name}), whose last driver branch is "
                f"{gpu.generation.last}: set driver_branch = '{gpu.generation.last}', "
                f"not {branch.name}"
            )
        elif branch.number < gpu.least:
            found.append(
                f"has {gpu.name}, which needs driver branch {gpu.least} or later: set "
                f"driver_branch to {branches.choices()}, not {branch.name}"
            )
    return found


def _kernel(branch: Branch, kernel: str) -> list[str]:
    found = re.match(r"(\d+)\.(\d+)", kernel)
    if not found or not branch.kernel_below:
        return []
    if (int(found[1]), int(found[2])) < branch.kernel_below:
        return []
    limit = ".".join(map(str, branch.kernel_below))
    return [
        f"has Linux {kernel}, for which driver {branch.name} does not build (it does below "
        f"{limit}): take {branches.choices()}"
    ]
