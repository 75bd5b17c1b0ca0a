"""What the operations of a check ask of the node: each thing once, most of it in three commands.

While operations are only asked nothing changes, so an answer holds for all of them. What lies
where, which units run and which packages are there is asked for all at once: the manifest of the
release names nearly all of it.
"""

from collections.abc import Callable
from typing import Any

from pyinfra.api.facts import FactBase

from agent.drift.manifest import Manifest
from fleet.facts.packages import Installed
from fleet.facts.paths import PathStates
from fleet.facts.units import UnitStates
from fleet.memo import LISTS

GetFact = Callable[..., Any]


class Memo:
    """Stands in for a host's `get_fact` while nothing is executed."""

    def __init__(self, get_fact: GetFact, manifest: Manifest) -> None:
        self._get_fact = get_fact
        self._whole: dict[Any, Any] = {}
        self._parts: dict[Any, dict[str, Any]] = {kind: {} for kind in LISTS}
        self._asked: dict[Any, set[str]] = {kind: set() for kind in LISTS}
        self._coming = {
            PathStates: {*manifest.files, *manifest.directories, *manifest.links},
            UnitStates: {*manifest.units, *manifest.composed},
            Installed: set(manifest.packages),
        }

    def get_fact(self, kind: type[FactBase[Any]], *args: Any, **kwargs: Any) -> Any:
        """Return what the host's own `get_fact` would."""
        if kind in LISTS and not args and set(kwargs) == {LISTS[kind]}:
            return self._listed(kind, list(kwargs[LISTS[kind]]))
        key = (kind, repr(args), repr(kwargs))
        if key not in self._whole:
            self._whole[key] = self._get_fact(kind, *args, **kwargs)
        return self._whole[key]

    def _listed(self, kind: type[FactBase[Any]], names: list[str]) -> dict[str, Any]:
        found, asked = self._parts[kind], self._asked[kind]
        if missing := set(names) - asked:
            wanted = sorted(missing | self._coming.pop(kind, set()))
            found.update(self._get_fact(kind, **{LISTS[kind]: wanted}))
            asked.update(wanted)
        return {name: found[name] for name in names if name in found}
