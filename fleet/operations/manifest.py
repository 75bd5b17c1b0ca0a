"""The list of what the deploy manages on this host, for the check that cron runs."""

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from agent.drift.manifest import File
from fleet import manifest as collected
from fleet.facts.paths import PathStates
from fleet.facts.units import UnitStates, made_of
from fleet.operations.file import place


@operation()
def manifest() -> Generator[StringCommand]:
    """Write down what the operations before this one were about.

    What is only known by looking is looked at by a deploy; a node that converges to the release by
    itself goes by what that found, or it would take for wanted what somebody has changed since.
    """
    found = collected.of(host)
    former = collected.of_release()
    if former is not None:
        there = {path: former.files[path] for path in found.measured if path in former.files}
        composed = former.composed
    else:
        seen = host.get_fact(PathStates, paths=sorted(found.measured)) if found.measured else {}
        there = {path: it for path, it in seen.items() if isinstance(it, File)}
        names = sorted({*found.composed, *found.units})
        units = host.get_fact(UnitStates, names=names) if names else {}
        composed = {name: made_of(unit) for name, unit in units.items()}
    found.files.update(there)
    found.files.pop(collected.PATH, None)  # it cannot hold its own digest
    yield from place(collected.PATH, found.dump(composed), "644", "root:root")
