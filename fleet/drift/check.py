"""One check for drift: ask, judge, put right what may be put right, ask again."""

from collections.abc import Iterable

from agent.drift.report import Finding, Kind
from agent.spec import DriftSpec
from fleet.drift import policy
from fleet.drift.deployed import Asked, Deployed
from fleet.drift.kinds import kind
from fleet.drift.policy import Standing

SHOWN = 200  # characters of a command


def check(
    deployed: Deployed, spec: DriftSpec, standing: Standing, now: float
) -> tuple[Finding, ...]:
    """Return every drift that was found, corrected or left. Raises `SourceError`."""
    asked = deployed.ask()
    found = [_finding(one, spec, standing, now) for one in asked if one.first is not None]
    wanted = {f"{one.stage} | {one.operation}" for one in found if not one.left}
    if not wanted:
        return tuple(found)
    # What follows from a correction, such as a reload, shows only once that was made: so all
    # operations that cost no more are run. Those with nothing to do say so.
    failed = deployed.run([one.key for one in asked if _may(one, found, spec, standing, now)])
    by_name = {_name(one): words for one in asked if (words := failed.get(one.key))}
    return tuple(_after(one, by_name) for one in found)


def _finding(one: Asked, spec: DriftSpec, standing: Standing, now: float) -> Finding:
    of = kind(one.stage, one.name, one.first)
    return Finding(
        stage=one.stage,
        operation=one.name,
        kind=of,
        found=(one.first or "")[:SHOWN],
        left=policy.left(of, _name(one), spec, standing, now),
    )


def _may(
    one: Asked, found: Iterable[Finding], spec: DriftSpec, standing: Standing, now: float
) -> bool:
    for finding in found:
        if (finding.stage, finding.operation) == (one.stage, one.name):
            return not finding.left
    of = kind(one.stage, one.name, None)
    return of is not Kind.NEVER and not policy.left(of, _name(one), spec, standing, now)


def _after(one: Finding, failed: dict[str, str]) -> Finding:
    words = failed.get(f"{one.stage} | {one.operation}")
    if words is None:
        return one
    return Finding(
        stage=one.stage,
        operation=one.operation,
        kind=one.kind,
        found=one.found,
        left=f"putting it right failed: {words}",
    )


def _name(one: Asked) -> str:
    return f"{one.stage} | {one.name}"
