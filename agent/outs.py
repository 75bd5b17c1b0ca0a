"""Which GPUs a runner may take, as the agent tells the runners: a small file under /run."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from agent.errors import GARBLED, ActionError
from agent.model import Value


class Placement(Value, frozen=True, kw_only=True):
    """`out`: GPUs (UUIDs) that are out of service. `held`: those of each engine's last start.

    What an engine held it gets again, so that the loss of a GPU moves no engine but its own.
    """

    out: frozenset[str] = frozenset()
    held: Mapping[str, tuple[str, ...]] = {}


class Outs:
    """Written by the agent before it starts an engine, read by the runner."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: Placement | None = None

    def write(self, wanted: Placement) -> None:
        """Replace the file in one step, if it has changed; raise `ActionError` when it cannot."""
        if wanted == self._written:
            return
        new = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new.write_bytes(msgspec.json.encode(wanted, order="sorted") + b"\n")
            new.replace(self._path)
        except OSError as error:
            raise ActionError(f"{self._path}: {error}") from error
        self._written = wanted

    def read(self) -> Placement:
        """Return what it says; nothing when there is none or it cannot be read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Placement)
        except (OSError, *GARBLED):
            return Placement()
