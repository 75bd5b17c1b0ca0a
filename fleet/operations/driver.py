"""The packages of NVIDIA's driver: pinned before they are installed, all together, then held."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.drift.manifest import Package
from fleet import manifest
from fleet.driver import moving
from fleet.driver.recipe import Recipe
from fleet.facts.driver import DriverState, State
from fleet.facts.packages import Installed
from fleet.operations.repository import refresh

_APT = "DEBIAN_FRONTEND=noninteractive apt-get -q -y"
_MOVE = "--no-install-recommends --allow-change-held-packages --allow-downgrades"
SECONDS = 3600  # DKMS may build for several kernels


@operation()
def driver_installed(recipe: Recipe) -> Generator[StringCommand]:
    """Install the driver where none is; one that is there is not touched."""
    state = host.get_fact(DriverState)
    if moving.fresh(state):
        yield from fetch(recipe, state)
        yield from install(recipe, state)
    else:
        host.noop("a driver is installed")


@operation()
def driver_pinned(recipe: Recipe) -> Generator[StringCommand]:
    """Have one pinning package and no other, where no driver is about to move with its pin."""
    state = host.get_fact(DriverState)
    found = moving.move(recipe, state)
    purge, missing = moving.pins(recipe, state)
    if moving.fresh(state) or (found and found.install):
        host.noop("the pin comes with the driver")
    elif purge or missing:
        yield from _pin(recipe, state)
    else:
        host.noop(f"{recipe.pin} pins the driver")


@operation()
def driver_held(recipe: Recipe) -> Generator[StringCommand]:
    """Hold whatever there is of the driver, and what would bring another kernel."""
    others = [*recipe.headers, *recipe.kernels]
    found: dict[str, Package] = dict(host.get_fact(DriverState).packages)
    if others:
        installed: dict[str, Package] = host.get_fact(Installed, names=others)
        found.update(installed)
    exact = set(recipe.driver) if recipe.version else set()
    manifest.of(host).packages.update(
        {
            name: Package(hold=True, version=package.version if name in exact else None)
            for name, package in found.items()
        }
    )
    free = sorted(name for name, package in found.items() if not package.hold)
    if free:
        yield StringCommand("apt-mark hold", *map(QuoteString, free))
    else:
        host.noop("the driver is held")


def fetch(recipe: Recipe, state: State) -> Generator[StringCommand]:
    """Yield what brings the packages to the host, and installs none but the pin."""
    yield refresh(recipe.repository)
    yield from _pin(recipe, state)
    yield _apt(f"{_MOVE} --download-only install", moving.names(recipe, state))


def install(recipe: Recipe, state: State) -> Generator[StringCommand]:
    """Yield what installs the packages that were fetched."""
    yield _apt(f"{_MOVE} install", moving.names(recipe, state))


def _pin(recipe: Recipe, state: State) -> Generator[StringCommand]:
    purge, missing = moving.pins(recipe, state)
    if purge:
        yield _apt("--allow-change-held-packages purge", purge)
    if missing:
        none = f"{recipe.repository.uri} has no {recipe.pin}: is there such a driver?"
        yield StringCommand(
            f"{_APT} install", QuoteString(recipe.pin), "|| { echo", QuoteString(none),
            ">&2; exit 1; }",
        )  # fmt: skip


def _apt(words: str, names: list[str]) -> StringCommand:
    return StringCommand(f"{_APT} {words}", *map(QuoteString, names), _timeout=SECONDS)
