"""The spool file: what the webhook has still to tell survives a restart of the agent."""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent.errors import GARBLED
from agent.webhook_queue import Queue

log = logging.getLogger("stoker.webhook")


class Spool:
    """Keeps a `Queue` in one file. Events are not worth a stop: trouble with it is logged once."""

    def __init__(self, path: Path) -> None:
        self._path, self._kept = path, True
        self._writing = threading.Lock()

    def load(self) -> Queue:
        """Return what was saved last; an empty queue if that cannot be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Queue)
        except FileNotFoundError:
            return Queue()
        except (OSError, *GARBLED) as error:
            log.error("%s: %s; events that waited there are lost", self._path, error)
            return Queue()

    def save(self, latest: Callable[[], Queue]) -> None:
        """Write all of it or nothing. May be called from several threads.

        `latest` is asked when it is this thread's turn, so that no writer puts back what another
        has overtaken.
        """
        with self._writing:
            try:
                self._write(msgspec.json.encode(latest()))
            except OSError as error:
                if self._kept:
                    log.error("%s: %s; events wait in memory only", self._path, error.strerror)
                self._kept = False
            else:
                self._kept = True

    def _write(self, content: bytes) -> None:
        new = self._path.with_name(self._path.name + ".new")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(new, "wb", opener=_private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
