"""Who asked for what, and what the agent decided: JSON lines that are only ever added to.

A file that has grown to `LIMIT` is kept beside the fresh one, as `audit.jsonl.1`, until the next
has grown as long: what is on disk is bounded, and reaches back for thousands of decisions.
"""

import logging
import time
from pathlib import Path

import msgspec

from agent.errors import GARBLED

log = logging.getLogger("stoker.audit")

LIMIT = 5_000_000  # bytes
_BLOCK = 65_536  # bytes read at once, from the end


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line as it is read back; what an event has no fact of is left empty.

    `reason` is a token in what the agent did, and a person's own words in a request.
    """

    at: float
    event: str
    engine: str = ""
    verb: str = ""
    phase: str = ""
    by: str = ""
    reason: str = ""
    message: str = ""
    start: bool = False
    incident: str = ""
    gpu: str = ""
    remedy: str = ""
    rule: str = ""
    rung: str = ""
    subject: str = ""
    outcome: str = ""


class Audit:
    """Appends to one file. A full disk must not stop the agent: then the line goes to the log."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path, self._limit = path, limit

    def write(self, event: str, **facts: object) -> None:
        """Add one line with the time, the event and its facts."""
        line = msgspec.json.encode({"at": round(time.time(), 3), "event": event, **facts})
        try:
            with self._path.open("ab") as file:
                file.write(line + b"\n")
                full = file.tell() >= self._limit
            if full:
                self._path.replace(_former(self._path))
        except OSError as error:
            log.error("cannot write %s (%s): %s", self._path, error, line.decode())


def tail(path: Path, count: int) -> tuple[Record, ...]:
    """Return the last `count` records, oldest first; none when there is no audit log yet.

    A line that a crash has cut short is left out. Raises `OSError` when it cannot be read.
    """
    lines = _last_lines(path, count)
    if len(lines) < count:
        lines = [*_last_lines(_former(path), count - len(lines)), *lines]
    records = (_record(line) for line in lines)
    return tuple(one for one in records if one is not None)


def _former(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _record(line: bytes) -> Record | None:
    try:
        return msgspec.json.decode(line, type=Record)
    except GARBLED:
        return None


def _last_lines(path: Path, count: int) -> list[bytes]:
    try:
        with path.open("rb") as file:
            start = file.seek(0, 2)
            data = b""
            while start > 0 and data.count(b"\n") <= count:
                size = min(_BLOCK, start)
                start = file.seek(start - size)
                data = file.read(size) + data
    except FileNotFoundError:
        return []
    lines = data.splitlines()
    return lines[-count:] if count else []
