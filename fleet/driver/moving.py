"""Does the driver of a host have to move, why, and did it? Pure: recipe and findings to words.

A driver that is loaded moves only by a reboot; what is installed meanwhile waits for it.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from fleet.driver.recipe import Recipe
from fleet.facts.driver import State

_NUMBERED = re.compile(r"-\d{3}(?:-|$)")


class Move(Struct, frozen=True):
    """Why the driver moves; `install` = packages move, not only the loaded module."""

    why: str
    install: bool


def fresh(state: State) -> bool:
    """Say whether no driver is there: it can be installed without disturbing anybody."""
    return not state.versions and not state.loaded.version


def move(recipe: Recipe, state: State) -> Move | None:
    """Return what has to be done to bring a driver that is there to the recipe; None = nothing."""
    if fresh(state):
        return None
    if why := next(_packages(recipe, state), None):
        return Move(why, install=True)
    if stale(state):
        return Move(
            f"driver {_said(state)} is loaded, {installed(recipe, state)} is installed", False
        )
    if state.nouveau:
        return Move("nouveau has the GPUs", install=False)
    return None


def stale(state: State) -> bool:
    """Say whether the loaded module is another one than the next boot would load."""
    return bool(state.loaded.version and state.built.version) and state.loaded != state.built


def reboots(state: State) -> bool:
    """Say whether a reboot is needed now."""
    return state.nouveau or stale(state)


def installed(recipe: Recipe, state: State) -> str:
    """Return the version that is installed; empty = none, or not all of it."""
    found = {version for name, version in state.versions.items() if name not in recipe.exact}
    return found.pop() if len(found) == 1 else ""


def refusal(found: Move, state: State) -> str:
    """Say what is to be done where a host must not be rebooted."""
    return (
        f"{found.why}: that takes a reboot, and driver_reboot is False; set it to True, or keep "
        f"what is loaded by driver_version = '{state.loaded.version}'; no driver was moved"
    )


def needs_reboot(recipe: Recipe, found: Move, state: State) -> bool:
    """Foretell whether the move will take a reboot; unknown counts as yes."""
    if state.nouveau or not found.install:
        return True
    same = recipe.version == state.loaded.version
    flavour = state.loaded.open == (recipe.flavour == "open")
    return bool(state.loaded.version) and not (same and flavour)


def names(recipe: Recipe, state: State) -> list[str]:
    """Return what apt is asked for: what is wanted, what is there, what must go ("NAME-").

    All are named: a package that was forced ahead of the others would otherwise stop apt. Those
    with a branch in their name (Ubuntu up to 580) are replaced by others.
    """
    gone = [name for name in recipe.conflicts if name in state.packages]
    there = [name for name in state.versions if not _NUMBERED.search(name)]
    kept = [name for name in there if name not in gone and name not in recipe.packages]
    return [*recipe.packages, *sorted(kept), *(f"{name}-" for name in gone)]


def pins(recipe: Recipe, state: State) -> tuple[list[str], bool]:
    """Return the pinning packages to purge, and whether the wanted one is to be installed.

    With two of them the new one has no effect; one that was removed still pins until it is purged.
    """
    there = [name for name in state.packages if name.startswith(recipe.pin_prefix)]
    others = {*there, *state.left} - {recipe.pin}
    return sorted(others), recipe.pin not in state.packages


def proof(recipe: Recipe, state: State, gpus: int) -> str:
    """Say what is not as it should be after a move; empty = it is well. `gpus` on the PCI bus."""
    version = installed(recipe, state)
    if not version:
        return f"the driver is still half installed: {_mixed(state.versions)}"
    if state.built.version != version:
        return (
            f"driver {version} is installed, but the module built for the running kernel is "
            f"{state.built.version or 'missing'}: see `dkms status`"
        )
    if state.loaded != state.built:
        return f"driver {version} is installed, but {state.loaded.version or 'none'} is loaded"
    if len(state.persistent) != gpus:
        said = f" ({state.answer})" if state.answer else ""
        return f"the driver lists {len(state.persistent)} of {gpus} GPUs{said}"
    if not all(state.persistent):
        return "persistence mode is off"
    return ""


def _packages(recipe: Recipe, state: State) -> Iterator[str]:
    versions = {n: v for n, v in state.versions.items() if n not in recipe.exact}
    if missing := [name for name in recipe.driver if name not in state.packages]:
        yield f"{', '.join(missing)} is not installed ({_said(state)} is loaded)"
    if len(set(versions.values())) > 1:
        yield f"the driver is half upgraded: {_mixed(versions)}"
    version = next(iter(versions.values()), "")
    if recipe.version and version != recipe.version:
        yield f"driver {version} is installed, {recipe.version} is wanted"
    elif version.partition(".")[0] != recipe.branch:
        yield f"driver {version} is installed, branch {recipe.branch} is wanted"


def _mixed(versions: dict[str, str]) -> str:
    by_version = {version: name for name, version in reversed(versions.items())}
    return ", ".join(f"{name} {version}" for version, name in sorted(by_version.items()))


def _said(state: State) -> str:
    flavour = "" if state.loaded.open == state.built.open else " (another flavour)"
    return f"{state.loaded.version or 'none'}{flavour}"
