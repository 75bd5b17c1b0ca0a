"""The state file: what must survive a crash of the agent and a reboot of the host."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent.errors import GARBLED, ActionError, SourceError
from agent.state import NodeState


class Store:
    """Keeps one `NodeState` on disk; a save is complete or it did not happen."""

    def __init__(self, path: Path, sync: Callable[[int], None] = os.fsync) -> None:
        self._path, self._sync = path, sync

    def load(self) -> NodeState | None:
        """Return what was saved last; None on a new node; `SourceError` when it cannot be read.

        A garbled file is put aside, never overwritten: a latch may stand in it.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=NodeState)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceError(f"{self._path}: {error.strerror}") from error
        except GARBLED as error:
            raise SourceError(f"{self._path}: {error}; {self._put_aside()}") from error

    def save(self, state: NodeState) -> None:
        """Write `state` and wait until it is on the disk; raise `ActionError` when it cannot."""
        new = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with new.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(state)))
                file.flush()
                self._sync(file.fileno())
            new.replace(self._path)
            self._sync_directory()
        except OSError as error:
            raise ActionError(f"cannot save the agent's state: {error}") from error

    def _sync_directory(self) -> None:
        """Without this a power cut may bring back the file of before (fsync(2))."""
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            self._sync(directory)
        finally:
            os.close(directory)

    def _put_aside(self) -> str:
        aside = self._path.with_suffix(".garbled")
        try:
            self._path.replace(aside)
        except OSError as error:
            return f"and cannot be put aside: {error.strerror}"
        return f"put aside as {aside}"


def boot_identity(proc: Path = Path("/proc")) -> str:
    """Return a word that changes with every boot.

    The kernel's boot id alone does not change when a container "reboots"; the start time of
    process 1 (field 22 of its stat, proc(5)) does.
    """
    kernel = (proc / "sys/kernel/random/boot_id").read_text().strip()
    after_name = (proc / "1/stat").read_text().rpartition(")")[2].split()
    return f"{kernel}-{after_name[19]}"
