"""The manifest against the node. Pure but for the `Node` that is handed in."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from agent.drift.manifest import Directory, File, Link, Manifest, Package, Part, Unit


class Drifted(msgspec.Struct, frozen=True):
    """One thing that differs."""

    what: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.what}: is {self.found}, should be {self.wanted}"


class Node(Protocol):
    """Where the node's state is read. `tests/agent/test_drift.py` has the fake."""

    def path(self, path: str) -> File | Directory | Link | None:
        """Return what lies at `path`; None = nothing."""

    def units(self, names: Sequence[str]) -> Mapping[str, Unit]:
        """Return the state of units."""

    def packages(self, names: Sequence[str]) -> Mapping[str, Package]:
        """Return the installed ones among `names`."""


def compare(manifest: Manifest, node: Node) -> Iterator[Drifted]:
    """Yield everything that differs, in a stable order."""
    paths: dict[str, File | Directory | Link] = {
        **manifest.files,
        **manifest.directories,
        **manifest.links,
    }
    for path, wanted in sorted(paths.items()):
        yield from _parts(path, node.path(path), wanted)
    units = node.units(sorted(manifest.units)) if manifest.units else {}
    for name, unit in sorted(manifest.units.items()):
        yield from _parts(name, units.get(name), unit)
    packages = node.packages(sorted(manifest.packages)) if manifest.packages else {}
    for name, package in sorted(manifest.packages.items()):
        yield from _parts(f"package {name}", packages.get(name), package)


def _parts(what: str, found: Part | None, wanted: Part) -> Iterator[Drifted]:
    if found is None or type(found) is not type(wanted):
        is_now = "missing" if found is None else f"a {type(found).__name__.lower()}"
        yield Drifted(what, is_now, f"a {type(wanted).__name__.lower()}")
        return
    for field in wanted.__struct_fields__:
        now, then = getattr(found, field), getattr(wanted, field)
        if then is not None and now != then:
            yield Drifted(f"{what} {field}", str(now), str(then))
