"""A run as `stoker deploy` shows it: a screen that changes, or lines without a terminal. Pure.

Hosts that do the same are one line: a hundred hosts take no more room than they have differences.
"""

from collections.abc import Iterator

from agent.show import age
from fleet.commands.shown import DIM, RED, WIDTH, fit, listed, paint, plain
from fleet.run.events import AnyEvent, Began, Changed, Finished, Locked, Said, Turn
from fleet.run.progress import Doing, Progress

NAMES = 40  # columns for hosts
STILL = 30.0  # seconds between two lines about an operation that goes on


def screen(run: Progress, title: str, begun: float, now: float, *, rows: int, colour: bool) -> str:
    """Return at most `rows` lines, of at most 100 columns."""
    lines = [fit(f"{title} · {age(now - begun)}{_where(run)}", WIDTH)]
    groups = list(_groups(run))
    room = max(1, rows - 2)
    for doing, names in groups[:room]:
        since = f" · {age(now - doing.since)}" if doing.busy else ""
        line = f"  {fit(listed(names, 4), NAMES):<{NAMES}}  {plain(doing.what)}{since}"
        code = RED if doing.failed else "" if doing.busy else DIM
        lines.append(paint(fit(line, WIDTH), code, on=colour and bool(code)))
    if len(groups) > room:
        lines.append(f"  and {len(groups) - room} more")
    return "\n".join(lines)


def _where(run: Progress) -> str:
    said = f" · operation {run.number} of {run.of}" if run.of else ""
    if run.turn:
        said += f" · batch {run.turn} of {len(run.batches)}"
    return said


def _groups(run: Progress) -> Iterator[tuple[Doing, list[str]]]:
    """Yield what is done, with who does it: failures first, then those at work."""
    found: dict[str, tuple[Doing, list[str]]] = {}
    for host, doing in run.hosts.items():
        found.setdefault(doing.what, (doing, []))[1].append(host)
    yield from sorted(found.values(), key=lambda one: (not one[0].failed, not one[0].busy))


def line(run: Progress, event: AnyEvent) -> str:
    """Return the line about an event, `run` as it is after it; empty = it is not worth one."""
    said = ""
    match event:
        case Locked():
            said = f"{len(event.hosts)} host(s) are fit, and locked: {listed(event.hosts)}"
        case Began():
            said = f"{event.operations} operations, {len(event.batches)} batch(es)"
        case Turn():
            said = f"now {listed(event.hosts)} (batch {event.number} of {len(run.batches)})"
        case Changed():
            said = f"changed  {event.name}: {listed(event.hosts)}"
        case Finished(failed=True):
            said = f"FAILED   {run.operation}: {event.host}"
        case Said():
            said = event.text
    return plain(said)


def still(run: Progress, now: float, last: float) -> str:
    """Return a line when nothing was heard since `last`, so that nobody believes it hangs."""
    busy = [host for host, doing in run.hosts.items() if doing.busy]
    if not busy or now - last < STILL:
        return ""
    doing = run.hosts[busy[0]]
    return f"still    {doing.what}: {listed(busy)} ({age(now - doing.since)})"
