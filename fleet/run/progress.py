"""The course of a run, folded from its events. Pure."""

from msgspec import Struct
from msgspec.structs import replace

from fleet.run.events import (
    AnyEvent,
    Began,
    Changed,
    Ended,
    Finished,
    Locked,
    Operation,
    Said,
    Turn,
)

LOOKED_AT = "is looked at"
WAITS = "waits"
OTHERS = "waits for the others"
COMES = "its turn comes"
TURNED = "has had its turn"


class Doing(Struct, frozen=True):
    """What a host is at, and since when; `busy` = it works, else it waits."""

    what: str
    since: float
    busy: bool = False
    failed: bool = False


class Progress(Struct, frozen=True, kw_only=True):
    """A run; `number` of `of` operations, `turn` of the batches (0 = none yet)."""

    hosts: dict[str, Doing]
    of: int = 0
    number: int = 0
    batches: tuple[tuple[str, ...], ...] = ()
    turn: int = 0
    operation: str = ""


def begin(hosts: tuple[str, ...], now: float) -> Progress:
    """Return a run of which nothing was heard yet."""
    return Progress(hosts=dict.fromkeys(hosts, Doing(LOOKED_AT, now, busy=True)))


def fold(run: Progress, event: AnyEvent) -> Progress:
    """Return the run after an event."""
    match event:
        case Locked():
            run = replace(run, hosts={**run.hosts, **_all(event.hosts, WAITS, event.at)})
        case Began():
            run = replace(run, of=event.operations, batches=event.batches)
        case Turn():
            run = _turn(run, event)
        case Operation():
            run = _operation(run, event)
        case Finished():
            what = f"failed at: {run.operation}" if event.failed else OTHERS
            after = Doing(what, event.at, failed=event.failed)
            run = replace(run, hosts={**run.hosts, event.host: after})
        case Changed() | Said() | Ended():
            pass
    return run


def _all(hosts: tuple[str, ...], what: str, at: float) -> dict[str, Doing]:
    return dict.fromkeys(hosts, Doing(what, at))


def _turn(run: Progress, event: Turn) -> Progress:
    after = replace(run, turn=event.number)
    for number, hosts in enumerate(run.batches, 1):
        if number != event.number:
            what = COMES if number > event.number else TURNED
            after = replace(after, hosts={**after.hosts, **_all(hosts, what, event.at)})
    return after


def _operation(run: Progress, event: Operation) -> Progress:
    found = {
        host: Doing(OTHERS, event.at) if doing.busy else doing for host, doing in run.hosts.items()
    }
    working = dict.fromkeys(event.hosts, Doing(event.name, event.at, busy=True))
    if event.name.startswith("rollout | "):  # all pass it together: nothing is done
        working = {}
    return replace(run, operation=event.name, number=run.number + 1, hosts={**found, **working})
