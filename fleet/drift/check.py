"""One check for drift: ask, judge, put right what may be put right."""

from collections.abc import Iterable

import msgspec

from agent.drift.report import Finding, Kind
from agent.spec import DriftSpec
from fleet.drift import policy
from fleet.drift.deployed import Asked, Deployed
from fleet.drift.kinds import kind
from fleet.drift.policy import Standing
from fleet.drift.slot import NoSlot, Slot

SHOWN = 200  # characters of a command


def check(
    deployed: Deployed,
    spec: DriftSpec,
    standing: Standing,
    now: float,
    slot: Slot = NoSlot(),  # noqa: B008 - it has no state
) -> tuple[Finding, ...]:
    """Return every drift that was found, corrected or left. Raises `SourceError`."""
    if broken := tuple(deployed.broken()):
        return broken  # what its operations say is worth nothing, and doing it less
    asked = deployed.ask()
    found = [_finding(one, spec, standing, now) for one in asked if one.first is not None]
    strange = tuple(one for one in deployed.strange() if not _explained(one, asked))
    may = {_name(one) for one in asked if _may(one, found, spec, standing, now)}
    disturbing = {_name(one) for one in asked if _name(one) in may and _kind(one) is not Kind.SAFE}
    wanted = {_key(one) for one in found if not one.left}
    taken = False
    if wanted & disturbing:
        refused = slot.take()
        taken = not refused
        said = f"the fleet does not let engines restart here now: {refused}"
        if refused:
            found = [_left(one, said) if _key(one) in disturbing else one for one in found]
    if not taken:
        may, wanted = may - disturbing, wanted - disturbing
    if not wanted:
        return (*found, *strange)
    try:
        # What follows from a correction, such as a reload, shows only once that was made: so all
        # operations that cost no more are run. Those with nothing to do say so.
        failed = deployed.run([one.key for one in asked if _name(one) in may])
    finally:
        if taken:
            slot.leave()
    by_name = {_name(one): words for one in asked if (words := failed.get(one.key))}
    return (*(_after(one, by_name) for one in found), *strange)


def _finding(one: Asked, spec: DriftSpec, standing: Standing, now: float) -> Finding:
    return Finding(
        stage=one.stage,
        operation=one.name,
        kind=_kind(one),
        found=(one.first or "")[:SHOWN],
        left=policy.left(_kind(one), _name(one), spec, standing, now),
    )


def _may(
    one: Asked, found: Iterable[Finding], spec: DriftSpec, standing: Standing, now: float
) -> bool:
    for finding in found:
        if (finding.stage, finding.operation) == (one.stage, one.name):
            return not finding.left
    return not policy.left(_kind(one), _name(one), spec, standing, now)


def _kind(one: Asked) -> Kind:
    return kind(one.stage, one.name, one.first)


def _explained(one: Finding, asked: Iterable[Asked]) -> bool:
    """Tell whether an operation is about to put the same file right."""
    path = one.operation.partition(" ")[0]
    return any(path in (other.first or "") for other in asked)


def _after(one: Finding, failed: dict[str, str]) -> Finding:
    words = failed.get(_key(one))
    return one if words is None else _left(one, f"putting it right failed: {words}")


def _left(one: Finding, why: str) -> Finding:
    return msgspec.structs.replace(one, left=one.left or why)


def _key(one: Finding) -> str:
    return f"{one.stage} | {one.operation}"


def _name(one: Asked) -> str:
    return f"{one.stage} | {one.name}"
