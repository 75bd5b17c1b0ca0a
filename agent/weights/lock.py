"""What one commit of one model consists of, as the operator's `models.lock` says. Pure.

The deploy leaves the entries of a host's models in `/etc/stoker/models.json`.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agent.errors import GARBLED, ActionError
from agent.weights.plan import File

NAME = "models.json"


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """One commit: its files, and how many parameters of each data type (safetensors' names)."""

    repo: str
    commit: str
    parameters: dict[str, int]
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @property
    def digest(self) -> str:
        """16 hex digits that change whenever the content of any file would."""
        rows = [(file.path, file.size, file.blob, file.sha256) for file in self.files]
        return hashlib.sha256(msgspec.json.encode(sorted(rows))).hexdigest()[:16]


def dump(entries: Sequence[Locked]) -> str:
    """Return the entries as `load` reads them."""
    encoded = msgspec.json.encode(list(entries), order="sorted")
    return msgspec.json.format(encoded, indent=1).decode() + "\n"


def load(path: Path) -> tuple[Locked, ...]:
    """Read the entries that the deploy left; none when there is no file; raise `ActionError`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=tuple[Locked, ...])
    except FileNotFoundError:
        return ()
    except (OSError, *GARBLED) as error:
        raise ActionError(f"{path}: {error}") from error


def find(entries: Sequence[Locked], repo: str, commit: str) -> Locked | None:
    """Return the entry of a commit; None when it is not locked."""
    return next((one for one in entries if (one.repo, one.commit) == (repo, commit)), None)
