"""Fabric Manager, and what else joins GPUs to one another: of the driver's very version."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.drift.manifest import Unit
from fleet import manifest
from fleet.driver import moving
from fleet.driver.recipe import Recipe
from fleet.facts.driver import DriverState, State, upstream
from fleet.facts.paths import PathStates
from fleet.facts.units import UnitStates, is_up
from fleet.operations.file import place
from fleet.operations.units import started

MANAGER = "nvidia-fabricmanager"
MODULES = "/etc/modules-load.d/stoker.conf"
_APT = (
    "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends --reinstall "
    "--allow-change-held-packages --allow-downgrades install"
)


@operation()
def fabric_installed(recipe: Recipe) -> Generator[StringCommand]:
    """Install it; what must have the driver's version gets that, or the host fails with a sentence.

    Fabric Manager is believed itself, not dpkg: a package may bring another version's program.
    """
    state = host.get_fact(DriverState)
    version = moving.installed(recipe, state)
    wrong = unfit(recipe, state, version)
    if not wrong:
        host.noop("what joins the GPUs is of the driver's version")
        return
    specs = (f"{name}={version}-*" if name in recipe.exact else name for name in wrong)
    yield StringCommand(_APT, *map(QuoteString, specs))
    if MANAGER in wrong:
        yield _verified(version)


def _verified(version: str) -> StringCommand:
    sentence = f"{MANAGER} {version} is installed for driver {version}, but its program says"
    return StringCommand(
        'said=$(nv-fabricmanager --version | head -n 1); case "$said" in *', QuoteString(version),
        "*) ;; *) echo ", QuoteString(f"{sentence}:"), ' "$said" >&2; exit 1;; esac', _separator="",
    )  # fmt: skip


@operation()
def fabric_up(recipe: Recipe) -> Generator[StringCommand]:
    """Enable and start its units; they come after the driver that they serve."""
    units = [unit for unit in recipe.units if unit != "nvidia-persistenced.service"]
    states = host.get_fact(UnitStates, names=units)
    for unit in units:
        manifest.of(host).units[unit] = Unit(enabled=True, active=True)
        state = states.get(unit, {})
        if state.get("UnitFileState") != "enabled":
            yield StringCommand("systemctl enable", QuoteString(unit))
        if not is_up(state):
            yield started("restart", unit)
    if all(s.get("UnitFileState") == "enabled" and is_up(s) for s in states.values()):
        host.noop("what joins the GPUs runs")


@operation()
def modules_loaded(names: tuple[str, ...]) -> Generator[StringCommand]:
    """Load kernel modules, now and at every boot."""
    yield from place(MODULES, "".join(f"{name}\n" for name in names), "644", "root:root")
    found = host.get_fact(PathStates, paths=[f"/sys/module/{name}" for name in names])
    if missing := [name for name in names if f"/sys/module/{name}" not in found]:
        yield StringCommand("modprobe -a", *map(QuoteString, missing))


def unfit(recipe: Recipe, state: State, version: str) -> list[str]:
    """Return the packages of the fabric that are missing, or of another version than the driver.

    Pure. A Fabric Manager that does not say its version is not fit either.
    """
    found = []
    for name in recipe.fabric:
        package = state.packages.get(name)
        exact = name in recipe.exact
        wrong = exact and package and upstream(package.version or "") != version
        lies = name == MANAGER and exact and state.fabric != version
        if (package is None and name not in _TOOLS) or wrong or lies:
            found.append(name)
    return found


# Not among the driver's packages, so the fact does not see them; the stage installs them apart.
_TOOLS = ("infiniband-diags",)
