"""What the status page shows, in one document: the snapshot, and what to make of it. Pure."""

from agent import documents
from agent.model import Value
from agent.snapshot import Snapshot
from agent.waits import sentences
from agent.why import explain


class Outlook(Value, frozen=True, kw_only=True):
    """One engine: what comes `next`, and the commands by which a person moves it on, in order."""

    next: str
    release: tuple[str, ...]


class Due(Value, frozen=True, kw_only=True):
    """A rung of the ladder that is due: `why` it has not begun, and what to do about it."""

    rung: str
    subject: str
    reason: str
    why: str
    advice: str


class Used(Value, frozen=True, kw_only=True):
    """Who uses a GPU, and the ids of the open incidents that are about it."""

    engines: tuple[str, ...]
    incidents: tuple[str, ...]


class Page(Value, frozen=True, kw_only=True):
    """`age` of the snapshot and the age from which it is stale, in seconds, by the node's clock.

    `gpus` by UUID. `problem`: why nothing newer can be had; only who passes the page on says so.
    """

    age: float
    stale_after: float
    outlook: dict[str, Outlook]
    due: tuple[Due, ...]
    gpus: dict[str, Used]
    problem: str = ""
    snapshot: Snapshot


def page(snapshot: Snapshot, now: float, stale_after: float) -> Page:
    """Return the document; `now` in seconds since 1970."""
    return Page(
        age=max(0.0, now - snapshot.at),
        stale_after=stale_after,
        outlook={name: _outlook(snapshot, name) for name in snapshot.engines},
        due=tuple(_due(snapshot)),
        gpus={
            one.uuid: Used(engines=one.engines, incidents=one.incidents)
            for one in documents.gpus(snapshot).gpus
        },
        snapshot=snapshot,
    )


def _outlook(snapshot: Snapshot, name: str) -> Outlook:
    told = explain(snapshot, name, ())
    return Outlook(next=told.next, release=told.release)


def _due(snapshot: Snapshot) -> list[Due]:
    found = []
    for step in snapshot.steps:
        why, advice = sentences(step)
        found.append(
            Due(
                rung=step.rung.value,
                subject=step.subject,
                reason=step.message,
                why=why,
                advice=advice,
            )
        )
    return found
