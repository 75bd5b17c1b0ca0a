"""driver: NVIDIA's repository, the branch pinned before the driver, the driver held.

Where none is, it is installed on all hosts at once. One that is there moves host by host, drained.
No name of an operation tells packages or versions: to pyinfra it is one operation on all hosts, and
theirs differ.
"""

from pyinfra import host
from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet import guard, rollout, specs
from fleet.disruption import Disruption
from fleet.driver import moving, verdict
from fleet.driver.recipe import Recipe
from fleet.facts.bare import Bare
from fleet.facts.driver import DriverState
from fleet.operations.directories import directories
from fleet.operations.driver import driver_held, driver_installed, driver_pinned
from fleet.operations.driver_loaded import driver_loaded
from fleet.operations.driver_moved import SECONDS, driver_moved
from fleet.operations.fabric import fabric_installed, fabric_up, modules_loaded
from fleet.operations.nouveau import PATH as NOUVEAU
from fleet.operations.nouveau import nouveau_off
from fleet.operations.packages import packages
from fleet.operations.persistence import DROP_IN, persistence_configured, persistence_on
from fleet.operations.repository import repository
from fleet.release import given

DISRUPTION = Disruption.REBOOT  # a driver that is loaded is only replaced by a reboot
_TOOLS = {"infiniband-diags"}


@deploy("driver")
def apply(spec: HostSpec, found: Bare) -> None:
    """Install the driver on a host with GPUs, or move it; one from elsewhere may stay as it is."""
    decision = verdict.of(spec, found)
    if decision.recipe and _stays(decision.recipe):
        return
    if decision.recipe:
        _install(decision.recipe)
    for batch in host.loop(_batches(spec)):
        if host.name in batch and decision.recipe:
            driver_moved(
                name=f"roll {', '.join(batch)}",
                recipe=decision.recipe,
                spec=spec,
                gpus=len(found.nvidia.gpus),
                _timeout=SECONDS,
            )
    if decision.recipe:
        _fabric(found, decision.recipe)
        driver_held(name="hold the driver and the kernel", recipe=decision.recipe)
    if decision.adopted:
        _persistence()
    if decision.recipe or decision.adopted:
        persistence_on(name="run nvidia-persistenced")


def _stays(recipe: Recipe) -> bool:
    """Say whether the driver is another one that must stay: a node cannot outlive its own reboot.

    A rollback, or the way back of a host that failed, would end half done, its engines drained.
    """
    by_itself = given.release() is not None and guard.executing() is not None
    return by_itself and moving.move(recipe, host.get_fact(DriverState)) is not None


def _install(recipe: Recipe) -> None:
    repository(name="add NVIDIA's repository", wanted=recipe.repository)
    if recipe.headers:
        packages(
            name="install and hold the kernel's headers",
            names=list(recipe.headers),
            hold=True,
        )
    driver_pinned(name="pin the driver, by one pin alone", recipe=recipe)
    driver_installed(name="install the driver", recipe=recipe)
    nouveau_off(name=f"place {NOUVEAU}")
    _persistence()
    driver_loaded(name="load the kernel module")


def _persistence() -> None:
    directories(name="make directories", wanted={DROP_IN.rpartition("/")[0]: ("755", "root:root")})
    persistence_configured(name=f"place {DROP_IN}")


def _fabric(found: Bare, recipe: Recipe) -> None:
    if not recipe.fabric:
        return
    if tools := [name for name in recipe.fabric if name in _TOOLS]:
        packages(name="install the fabric's tools", names=tools)
    if recipe.modules and not found.container:  # a container loads no modules
        modules_loaded(name="load the fabric's modules", names=recipe.modules)
    fabric_installed(name="install what joins the GPUs", recipe=recipe)
    fabric_up(name="run what joins the GPUs", recipe=recipe)


def _batches(spec: HostSpec) -> list[list[str]]:
    serves = {
        name: {engine.model for engine in other.engines.values()}
        for name, other in specs.of_inventory(host.inventory).items()
        if other.engines
    }
    return rollout.batches(serves, serves, spec.rollout.batch)
