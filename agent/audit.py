"""Who asked for what, and what the agent decided: JSON lines that are only ever added to."""

import logging
import time
from pathlib import Path

import msgspec

log = logging.getLogger("stoker.audit")


class Audit:
    """Appends to one file. A full disk must not stop the agent: then the line goes to the log."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: str, **facts: object) -> None:
        """Add one line with the time, the event and its facts."""
        line = msgspec.json.encode({"at": round(time.time(), 3), "event": event, **facts})
        try:
            with self._path.open("ab") as file:
                file.write(line + b"\n")
        except OSError as error:
            log.error("cannot write %s (%s): %s", self._path, error, line.decode())
