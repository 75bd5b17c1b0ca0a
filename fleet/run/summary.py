"""How a run ended, in words. Pure."""

from collections.abc import Iterable, Iterator

from fleet.commands.shown import fit, listed, wrapped
from fleet.run.events import Ended, HostResult, Verdict

SHOWN = 10  # lines of what failed
LONG = 400  # characters of one; an engine may write a page of JSON


def lines(end: Ended) -> Iterator[str]:
    """Say what was changed, what failed with its last lines, and who was not touched."""
    if end.problem:
        yield from wrapped(end.problem)
    for one in _of(end, "failed"):
        where = f" at: {one.failed}" if one.failed else ", or was lost"
        yield from wrapped(f"{one.host} failed{where} ({_count(one)})")
        for line in one.lines[-SHOWN:]:
            yield from wrapped(fit(line, LONG), "    | ", "    |   ")
    done = list(_of(end, "done"))
    told = [f"{one.host}: {line}" for one in done for line in one.engines]
    for line in told[:SHOWN]:
        yield from wrapped(fit(line, LONG))
    if len(told) > SHOWN:
        yield f"and {len(told) - SHOWN} more such lines"
    if changed := [f"{one.host} ({_count(one)})" for one in done if one.changed]:
        yield from wrapped(f"changed: {listed(changed, 20)}")
    if calm := [one.host for one in done if not one.changed]:
        yield from wrapped(f"nothing to do on: {listed(calm, 20)}")
    halfway = [one for one in _of(end, "stopped") if one.reached]
    if halfway:
        yield from wrapped(
            f"stopped in the middle: {_names(halfway)}; deploy again, it goes on from there"
        )
    if untouched := list(_untouched(end)):
        yield from wrapped(f"untouched, serving as before: {_names(untouched)}")


def verdict(end: Ended) -> Verdict:
    """Return the verdict of the whole."""
    found = {one.verdict for one in end.hosts}
    order: tuple[Verdict, ...] = ("failed", "stopped", "not begun")
    return next((one for one in order if one in found), "done")


def _of(end: Ended, wanted: Verdict) -> Iterator[HostResult]:
    return (one for one in end.hosts if one.verdict == wanted)


def _untouched(end: Ended) -> Iterator[HostResult]:
    """Hosts whose turn had not come: what was done there, traffic does not notice."""
    yield from _of(end, "not begun")
    yield from (one for one in _of(end, "stopped") if not one.reached)


def _names(found: Iterable[HostResult]) -> str:
    return listed((one.host + (f" ({_count(one)})" if one.changed else "") for one in found), 20)


def _count(one: HostResult) -> str:
    number = len(one.changed)
    return f"{number} change{'' if number == 1 else 's'}"
