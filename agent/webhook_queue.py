"""What the webhook has still to tell, what it has told, and how it takes an answer. Pure.

Instants are seconds since 1970.
"""

import re
from email.utils import parsedate_to_datetime
from enum import StrEnum

import msgspec

LIMIT = 1000  # events that wait
LIFETIME = 24 * 3600.0  # seconds an event may wait
REMEMBERED = 2000  # ids of events that are settled, so that none is sent twice
SHORTEST, LONGEST = 1.0, 300.0  # seconds between two tries
RETRY_AFTER_CAP = 3600.0  # seconds; a receiver may ask for patience, not for silence


class Waiting(msgspec.Struct, frozen=True):
    """One event that was told at `since`, as the JSON that will be sent."""

    id: str
    since: float
    body: str


class Queue(msgspec.Struct, frozen=True):
    """All that is remembered; lies in the spool file. `settled` are ids, the oldest first."""

    waiting: tuple[Waiting, ...] = ()
    settled: tuple[str, ...] = ()


class Verdict(StrEnum):
    """What an answer means for the event."""

    SENT = "sent"
    REFUSED = "refused"  # the receiver will never take it
    RETRY = "retry"


def add(queue: Queue, event: Waiting) -> Queue:
    """Put `event` last, unless its id is known."""
    if event.id in queue.settled or any(event.id == known.id for known in queue.waiting):
        return queue
    return msgspec.structs.replace(queue, waiting=(*queue.waiting, event))


def settle(queue: Queue, event_id: str) -> Queue:
    """Let an event go, whether sent or dropped, and remember its id."""
    return Queue(
        waiting=tuple(event for event in queue.waiting if event.id != event_id),
        settled=(*queue.settled, event_id)[-REMEMBERED:],
    )


def overdue(queue: Queue, now: float) -> tuple[tuple[str, str], ...]:
    """Return id and reason of each event that has to be dropped, the oldest first.

    Of too many the first stays: it may be on its way just now.
    """
    kept = 1 + max(0, len(queue.waiting) - LIMIT)
    full = [(event.id, "SpoolFull") for event in queue.waiting[1:kept]]
    rest = (*queue.waiting[:1], *queue.waiting[kept:])
    return (*full, *((e.id, "TooOld") for e in rest if now - e.since > LIFETIME))


def verdict(status: int) -> Verdict:
    """Judge an HTTP status: a client error is final, but for 408 (timeout) and 429 (too many)."""
    if 200 <= status < 300:
        return Verdict.SENT
    if 400 <= status < 500 and status not in {408, 429}:
        return Verdict.REFUSED
    return Verdict.RETRY


def delay(tries: int, retry_after: float, jitter: float) -> float:
    """Return the seconds to wait after `tries` failures in a row; `jitter` is within 0 and 1.

    The wait doubles from 1 up to 300 s, its later half at random, so that many nodes do not come
    back together. The receiver's own `retry_after` is a floor, up to an hour.
    """
    ceiling = min(LONGEST, 2.0 ** min(tries, 60))
    backoff = max(SHORTEST, ceiling * (1 + jitter) / 2)
    return max(backoff, min(retry_after, RETRY_AFTER_CAP))


def retry_after(header: str | None, now: float) -> float:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3); 0 if none."""
    if header is None:
        return 0.0
    if re.fullmatch("[0-9]{1,9}", header):
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
