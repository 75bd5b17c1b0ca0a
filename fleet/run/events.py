"""What a run tells of itself, as lines of JSON in the file that STOKER_EVENTS names.

Times are seconds since 1970.
"""

import os
from collections.abc import Iterator
from typing import Literal

import msgspec

from agent.errors import GARBLED

VARIABLE = "STOKER_EVENTS"
Verdict = Literal["done", "failed", "stopped", "not begun"]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Base of all."""

    at: float


class Locked(Event, frozen=True, kw_only=True, tag="locked"):
    """The hosts are fit, and ours."""

    hosts: tuple[str, ...]


class Began(Event, frozen=True, kw_only=True, tag="began"):
    """The first operation is about to run; `batches` change after each other."""

    operations: int
    batches: tuple[tuple[str, ...], ...]


class Turn(Event, frozen=True, kw_only=True, tag="turn"):
    """A batch begins; `number` from 1."""

    number: int
    hosts: tuple[str, ...]


class Operation(Event, frozen=True, kw_only=True, tag="operation"):
    """An operation begins on these hosts; `name` is "stage | verb object"."""

    name: str
    hosts: tuple[str, ...]


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """A host is through with the operation."""

    host: str
    failed: bool = False


class Changed(Event, frozen=True, kw_only=True, tag="changed"):
    """The operation changed something on these hosts."""

    name: str
    hosts: tuple[str, ...]


class Said(Event, frozen=True, kw_only=True, tag="said"):
    """A hook said something, or something is to be said of one."""

    text: str


class HostResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a host. `changed` = operations; `lines` = the last of the one that failed.

    `reached`: its turn to change what it serves with had come. `engines`: what the agent said of
    those that were changed.
    """

    host: str
    verdict: Verdict
    changed: tuple[str, ...] = ()
    failed: str = ""
    lines: tuple[str, ...] = ()
    reached: bool = False
    engines: tuple[str, ...] = ()


class Ended(Event, frozen=True, kw_only=True, tag="ended"):
    """The run is over; `problem` = why it stopped, if no host is to blame."""

    hosts: tuple[HostResult, ...]
    problem: str = ""


AnyEvent = Locked | Began | Turn | Operation | Finished | Changed | Said | Ended


def wanted() -> bool:
    """Tell whether somebody follows this run by its events."""
    return bool(os.environ.get(VARIABLE))


def lines(text: bytes) -> Iterator[AnyEvent]:
    """Yield the events of whole lines; what is cut short or not known is left out."""
    for line in text.splitlines():
        try:
            yield msgspec.json.decode(line, type=AnyEvent)
        except GARBLED:
            continue
