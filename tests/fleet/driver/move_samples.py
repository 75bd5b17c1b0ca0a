"""A recipe, and a host whose driver is as it says."""

from typing import Any

from agent.drift.manifest import Package
from fleet.driver.recipe import Recipe
from fleet.facts.driver import Module, State
from fleet.operations.repository import Repository

NAMES = (
    "nvidia-driver-cuda",
    "nvidia-kernel-open-dkms",
    "nvidia-persistenced",
    "libcuda1",
    "libnvidia-ml1",
)
RECIPE = Recipe(
    branch="595",
    flavour="open",
    standing="production",
    repository=Repository(
        name="nvidia", uri="https://x/", suite="/", key="https://x/k", fingerprints=("A",)
    ),
    pin="nvidia-driver-pinning-595",
    headers=(),
    driver=NAMES[:3],
    conflicts=("nvidia-kernel-dkms",),
)


def installed(version: str = "595.91.07", *, hold: bool = True) -> dict[str, Package]:
    return {name: Package(hold=hold, version=f"{version}-1") for name in sorted(NAMES)}


def state(**changes: Any) -> State:
    """A host with two GPUs that has the driver, loaded; with changes."""
    pin = {RECIPE.pin: Package(hold=True, version="595-1")}
    given: dict[str, Any] = {
        "loaded": Module("595.91.07"),
        "built": Module("595.91.07"),
        "packages": installed() | pin,
        "persistent": (True, True),
    }
    return State(**{**given, **changes})
