"""A person keeps this node as it is for a while: nothing is put right here meanwhile.

Only the check for drift goes by it. What the agent does for the sake of requests goes on, and so
does what somebody asks for by name: a deploy, a rollback, a restart.
"""

import time
from pathlib import Path

import msgspec

from agent.errors import GARBLED, ActionError


class Maintenance(msgspec.Struct, frozen=True, kw_only=True):
    """Who, why, since when, and until when (None = until it is taken back); seconds, UTC."""

    by: str
    reason: str
    since: float
    until: float | None = None

    def sentence(self) -> str:
        """Say it in one line."""
        end = "" if self.until is None else f", until {_clock(self.until)}"
        return f"{self.reason} ({self.by}, since {_clock(self.since)}{end})"


def read(path: Path, now: float) -> Maintenance | None:
    """Return what holds now. A file that a person wrote by hand counts: its text is the reason."""
    try:
        text, written = path.read_text(errors="replace").strip(), path.stat().st_mtime
    except FileNotFoundError:
        return None
    except OSError as error:
        return Maintenance(by="unknown", reason=f"{path}: {error.strerror}", since=now)
    try:
        found = msgspec.json.decode(text, type=Maintenance)
    except GARBLED:
        reason = text[:200] or "no reason was given"
        found = Maintenance(by="root", reason=reason, since=written)
    return None if found.until is not None and found.until <= now else found


def write(path: Path, wanted: Maintenance) -> None:
    """Begin it, or replace the one that is on; raise `ActionError` when it cannot be written."""
    new = path.with_name(f"{path.name}.stoker-new")
    try:
        new.write_bytes(msgspec.json.encode(wanted) + b"\n")
        new.chmod(0o644)
        new.replace(path)
    except OSError as error:
        raise ActionError(f"{path}: {error.strerror}; this is root's: try with sudo") from error


def end(path: Path) -> bool:
    """Take it back; return False when there was none, raise `ActionError` when it cannot be."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ActionError(f"{path}: {error.strerror}; this is root's: try with sudo") from error
    return True


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))
