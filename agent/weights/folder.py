"""A directory on the node as the origin of weights: an NFS export, a disk that was carried in.

It holds `ORGANISATION--NAME/COMMIT/`, as the directory of weights itself does. Nothing in it is
believed: what it brings is verified against the lock.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from agent.weights.origin import begun
from agent.weights.plan import File

PIECE = 16 * 1024 * 1024  # bytes


class Folder:
    """An `origin.Origin`; `files` are those that the lock names."""

    def __init__(self, root: str, repo: str, commit: str, files: Sequence[File]) -> None:
        self._directory = Path(root) / repo.replace("/", "--") / commit
        self._files = tuple(files)

    def check(self) -> None:
        """See `Origin`."""
        os.listdir(self._directory)  # noqa: PTH208 - raises unless it may be read

    def listing(self) -> tuple[File, ...]:
        """See `Origin`."""
        return self._files

    def bring(self, directory: Path, files: Sequence[File]) -> None:
        """See `Origin`. One by one: whatever it is, it is one disk."""
        for file in files:
            if not (directory / file.path).exists():
                self._copy(self._directory / file.path, begun(directory, file))
                (directory / file.path).parent.mkdir(parents=True, exist_ok=True)
                begun(directory, file).replace(directory / file.path)

    def _copy(self, source: Path, part: Path) -> None:
        part.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as old, part.open("ab") as new:
            if new.tell() > old.seek(0, os.SEEK_END):
                new.truncate(0)
            old.seek(new.tell())
            while piece := old.read(PIECE):
                new.write(piece)
