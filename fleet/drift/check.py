"""One check for drift: ask, judge, put right what may be put right."""

import logging
from collections.abc import Iterable

import msgspec

from agent.drift.report import Finding, Kind
from agent.errors import StokerError
from agent.spec import DriftSpec
from fleet.drift import policy
from fleet.drift.asked import Asked, Deployed
from fleet.drift.kinds import kind
from fleet.drift.policy import Standing
from fleet.drift.standstill import Standstill

log = logging.getLogger("stoker.drift")

FAILED = "putting it right failed"
SHOWN = 200  # characters of a command


def check(
    deployed: Deployed, spec: DriftSpec, standing: Standing, now: float, engines: Standstill
) -> tuple[Finding, ...]:
    """Return every drift that was found, corrected or left. Raises `SourceError`."""
    if broken := tuple(deployed.broken()):
        return broken  # what its operations say is worth nothing, and doing it less
    asked = deployed.ask()
    found = [_finding(one, spec, standing, now) for one in asked if one.first is not None]
    strange = tuple(one for one in deployed.strange() if not _explained(one, asked))
    may = {_name(one) for one in asked if _may(one, found, spec, standing, now)}
    disturbing = {_name(one) for one in asked if _kind(one) is not Kind.SAFE}
    found = _put_right(deployed, asked, found, may - disturbing, again=True)
    if why := _obstacle(found):
        return (*(_left(f, why) if _key(f) in disturbing else f for f in found), *strange)
    if not any(_key(one) in disturbing and not one.left for one in found):
        return (*found, *strange)
    if not any(map(_breaks_off, found)):
        drain_themselves = {_name(one) for one in asked if one.stage == "engine"}
        return (*_put_right(deployed, asked, found, may & disturbing & drain_themselves), *strange)
    if refused := engines.begin():
        return (*(_left(f, refused) if _key(f) in disturbing else f for f in found), *strange)
    try:
        found = _put_right(deployed, asked, found, may & disturbing)
    finally:
        stuck = _serve_again(engines)
    return (*found, *strange, *stuck)


def _serve_again(engines: Standstill) -> tuple[Finding, ...]:
    """End the standstill; what does not serve again for it is told beside what was put right."""
    try:
        engines.end()
    except StokerError as error:
        log.error("%s", error)  # also if the report is lost with the correction
        name = "let the engines serve again"
        return (_left(Finding(stage="drift", operation=name, kind=Kind.DISRUPTIVE), str(error)),)
    return ()


def _put_right(
    deployed: Deployed,
    asked: Iterable[Asked],
    found: list[Finding],
    names: set[str],
    *,
    again: bool = False,
) -> list[Finding]:
    """Carry out what is called `names`, if any of it is needed; return what came of it.

    What follows from a correction, such as a reload, shows only once that was made: so all of them
    are run. Those with nothing to do say so.
    """
    if not any(_key(one) in names and not one.left for one in found):
        return found
    failed = deployed.run([one.key for one in asked if _name(one) in names], again=again)
    by_name = {_name(one): words for one in asked if (words := failed.get(one.key))}
    return [_after(one, by_name) for one in found]


def _obstacle(found: Iterable[Finding]) -> str:
    """Return why no engine may be restarted now: it might not come up again."""
    failed = [_key(one) for one in found if one.left.startswith(FAILED)]
    return f"engines would restart, and {failed[0]} could not be put right" if failed else ""


def _breaks_off(one: Finding) -> bool:
    """Whether engines have to be drained first; those of its own stage drain by themselves."""
    return one.kind is Kind.DISRUPTIVE and one.stage != "engine" and not one.left


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
    return path.startswith("/") and any(path in (other.first or "") for other in asked)


def _after(one: Finding, failed: dict[str, str]) -> Finding:
    words = failed.get(_key(one))
    return one if words is None else _left(one, f"{FAILED}: {words}")


def _left(one: Finding, why: str) -> Finding:
    return msgspec.structs.replace(one, left=one.left or why)


def _key(one: Finding) -> str:
    return f"{one.stage} | {one.operation}"


def _name(one: Asked) -> str:
    return f"{one.stage} | {one.name}"
