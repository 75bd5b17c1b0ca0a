"""One check for drift: ask, judge, put right what may be put right, ask again."""

from collections.abc import Iterable

import msgspec

from agent.spec import DriftSpec
from fleet.drift import policy
from fleet.drift.deployed import Asked, Deployed
from fleet.drift.kinds import Kind, kind
from fleet.drift.policy import Standing
from fleet.drift.report import Finding
from fleet.drift.standstill import Standstill

SHOWN = 200  # characters of a command


def check(
    deployed: Deployed, spec: DriftSpec, standing: Standing, now: float, engines: Standstill
) -> tuple[Finding, ...]:
    """Return every drift that was found, corrected or left. Raises `SourceError`."""
    asked = deployed.ask()
    found = [_finding(one, spec, standing, now) for one in asked if one.first is not None]
    still = any(map(_breaks_off, found))
    if still and (why := engines.begin()):
        still = False
        found = [msgspec.structs.replace(f, left=why) if _breaks_off(f) else f for f in found]
    if all(one.left for one in found):
        return tuple(found)
    # What follows from a correction, such as a reload, shows only once that was made: so all
    # operations that cost no more are run. Those with nothing to do say so.
    try:
        may = [one for one in asked if _may(one, found, spec, standing, now, still=still)]
        failed = deployed.run([one.key for one in may])
    finally:
        if still:
            engines.end()
    by_name = {_name(one): words for one in asked if (words := failed.get(one.key))}
    return tuple(_after(one, by_name) for one in found)


def _breaks_off(one: Finding) -> bool:
    """Whether engines have to be drained first; those of its own stage drain by themselves."""
    return one.kind is Kind.DISRUPTIVE and one.stage != "engine" and not one.left


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
    one: Asked,
    found: Iterable[Finding],
    spec: DriftSpec,
    standing: Standing,
    now: float,
    *,
    still: bool,
) -> bool:
    for finding in found:
        if (finding.stage, finding.operation) == (one.stage, one.name):
            return not finding.left
    of = kind(one.stage, one.name, None)
    if of is Kind.DISRUPTIVE and not still and one.stage != "engine":
        return False
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
