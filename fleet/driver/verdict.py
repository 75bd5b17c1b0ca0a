"""What is to become of a host's driver: installed by a recipe, adopted, or refused, and why."""

from datetime import date

from msgspec import Struct

from agent.errors import SpecError
from agent.spec import DriverSpec, HostSpec
from fleet.distributions import DISTRIBUTIONS
from fleet.driver import branches, obstacles, origin, pci, recipe
from fleet.driver.branches import Branch
from fleet.driver.origin import WORDS, Origin
from fleet.driver.pci import Gpu
from fleet.driver.recipe import Recipe
from fleet.facts.bare import Bare

TURING = 75  # CUDA's capability of the first GPUs that open kernel modules drive


class Decision(Struct, frozen=True, kw_only=True):
    """What is decided; without `recipe` nothing of the driver is installed.

    `line` says it in one line, empty when it is refused. `adopted` = a driver from elsewhere is
    left as it is. `problems` refuse the deploy, `warnings` do not.
    """

    recipe: Recipe | None = None
    adopted: bool = False
    version: str = ""
    line: str = ""
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def of(spec: HostSpec, found: Bare, today: date | None = None) -> Decision:
    """Decide; `today` None = nothing is said about branches that come to their end."""
    driver = spec.driver
    if not driver.gpu_count or found.os not in DISTRIBUTIONS:
        return Decision()
    gpus = tuple(pci.gpu(device.id) for device in found.nvidia.gpus)
    made = _decide(driver, found, gpus, today)
    problems = (*made.problems, *obstacles.split(driver, gpus))
    if not problems:
        return made
    return Decision(problems=problems, warnings=made.warnings)


def _decide(spec: DriverSpec, found: Bare, gpus: tuple[Gpu, ...], today: date | None) -> Decision:
    there = origin.of(found)
    if there.where in {"none", "ours"}:
        return _installed(spec, found, gpus, there, today)
    reason = "it came on top of ours" if found.nvidia.ours else None
    reason = reason or origin.unfit(there, found, spec, gpus)
    if reason is None:
        return _adopted(there, today)
    if there.where in {"distribution", "run"}:
        return Decision(problems=(obstacles.mixed(there, reason),))
    return _installed(spec, found, gpus, there, today)


def declared(spec: DriverSpec, capability: int) -> str:
    """Return the line of a host that nobody has looked at; empty when it gets no driver.

    `capability` = CUDA's, major × 10 + minor, of the GPUs that it is declared to have; 0 = unknown.
    """
    if not spec.gpu_count or branches.faults(spec):
        return ""
    branch = branches.resolve(spec.branch, spec.version, 0, force=spec.force_branch)
    name = spec.version or branch.name
    if capability < TURING:
        return f"{name} ({branch.standing}), if its GPUs allow it"
    return f"{name} open ({branch.standing}), pinned and held"


def _adopted(there: Origin, today: date | None) -> Decision:
    branch = branches.known(str(there.branch))
    said = f"the adopted driver is of branch {branch.name}: {branch.standing}"
    return Decision(
        adopted=True,
        version=there.version,
        line=f"adopted: {there.version} from {WORDS[there.where]}, left as it is",
        warnings=_ending(branch, today) if branch.supported else (said,),
    )


def _installed(
    spec: DriverSpec, found: Bare, gpus: tuple[Gpu, ...], there: Origin, today: date | None
) -> Decision:
    try:
        made = recipe.of(spec, _host(found, gpus))
    except SpecError as error:
        return Decision(problems=tuple(str(error).splitlines()))
    over = f", in place of {there.version}" if there.where in {"nvidia", "elsewhere"} else ""
    name = made.version or made.branch
    return Decision(
        recipe=made,
        version=made.version or "",
        line=f"{name} {made.flavour} ({made.standing}), pinned and held{over}",
        problems=tuple(obstacles.install(found)),
        warnings=(
            *obstacles.warnings(found, gpus, reboot=spec.reboot),
            *_ending(branches.known(made.branch), today),
        ),
    )


def _host(found: Bare, gpus: tuple[Gpu, ...]) -> recipe.Host:
    there = found.nvidia
    kernels = (
        () if found.container else (there.kernel, obstacles.newer(there.kernel, there.kernels))
    )
    return recipe.Host(
        os=found.os,
        gpus=gpus,
        kernels=tuple(one for one in kernels if one),
        switches=len(there.switches),
    )


def _ending(branch: Branch, today: date | None) -> tuple[str, ...]:
    said = branches.ending(branch, today) if today else None
    return (said,) if said else ()
