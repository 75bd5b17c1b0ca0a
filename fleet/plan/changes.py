"""What would change, and what follows from it: from operations looked at to stages. Pure.

An operation looks at the host as it is now. One that makes a unit run with its files therefore
finds nothing to do while the files are the old ones; that it will follow is told from its `files`
and from the paths that the operations before it have in their names.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby

from agent.model import Value
from fleet.disruption import Disruption, worst
from fleet.plan.document import Act, StagePlan


class Planned(Value, frozen=True, kw_only=True):
    """One operation of a host. `changes` = it would; `files` = what its unit runs with."""

    stage: str
    name: str
    changes: bool
    files: tuple[str, ...] = ()


def stages(
    operations: Iterable[Planned],
    acts: Mapping[str, Act],
    declared: Mapping[str, Disruption],
    *,
    serves: bool,
) -> tuple[StagePlan, ...]:
    """Return the stages that have something to do, in order.

    `acts` = what happens to each engine: the stage of engines is told by them, since "start" and
    "roll" are one act seen twice. `serves` = an engine runs there: else nothing is disrupted.
    """
    found: list[StagePlan] = []
    changed: list[str] = []
    for stage, group in groupby(operations, key=lambda one: one.stage):
        changes, follows = list[str](), list[str]()
        for one in group:
            if one.changes:
                changes.append(one.name)
                changed.append(one.name)
            elif any(_concerns(name, path) for name in changed for path in one.files):
                follows.append(one.name)
        if stage == "engine":
            changes = [f"{act} {name}" for name, act in acts.items() if act != "nothing"]
        if changes or follows:
            grave = serves and (stage != "engine" or "restart" in acts.values())
            found.append(
                StagePlan(
                    stage=stage,
                    disruption=declared[stage] if grave else Disruption.NONE,
                    changes=tuple(changes),
                    follows=tuple(follows),
                )
            )
    return tuple(found)


def disruption(found: Iterable[StagePlan]) -> Disruption:
    """Return the gravest of the stages."""
    return worst(*(stage.disruption for stage in found))


def _concerns(name: str, path: str) -> bool:
    """Say whether an operation of this name leaves something else at `path`."""
    return any(path == word or path.startswith(f"{word}/") for word in name.split())
