"""The directory in which the weights of one commit come together: `COMMIT.partial`."""

import os
import shutil
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from agent import manifest
from agent.manifest import Manifest
from agent.weights.origin import begun
from agent.weights.plan import File

READABLE = (0o644, 0o444)  # modes of files that engines can read, and nobody but root write


class Partial:
    """What was fetched so far of the weights that are to lie in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory.with_name(directory.name + ".partial")

    def take(self) -> None:
        """Make the complete directory a partial one again."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.directory.rename(self.path)

    def open(self, files: Sequence[File]) -> None:
        """Keep what is good as far as sizes tell, and what was begun; remove all else."""
        self.path.mkdir(exist_ok=True)
        kept = {self.path / file.path for file in files} | {begun(self.path, f) for f in files}
        self._clear(kept)
        self.drop(manifest.wrong_sizes(self.path, {file.path: file.size for file in files}))

    def missing(self, files: Iterable[File]) -> int:
        """Return the bytes that are still to come."""
        return sum(
            file.size - min(_size(begun(self.path, file)), file.size)
            for file in files
            if not (self.path / file.path).exists()
        )

    def drop(self, paths: Iterable[str]) -> None:
        """Remove files that are not what they should be."""
        for path in paths:
            (self.path / path).unlink(missing_ok=True)

    def finish(self, files: Sequence[File], made: Manifest) -> None:
        """Turn it into the directory of complete weights, by a rename; all is on the disk then."""
        self._clear({self.path / file.path for file in files})
        for file in files:
            _make_readable(self.path / file.path)
            _sync(self.path / file.path)
        for directory in self.path.rglob("*"):
            if directory.is_dir():
                directory.chmod(0o755)
                _sync(directory)
        manifest.save(self.path, made)
        self.path.chmod(0o755)
        _sync(self.path)
        self.path.rename(self.directory)
        _sync(self.directory.parent)

    def _clear(self, kept: set[Path]) -> None:
        """Remove all but `kept`: among others what the library leaves of a download that ended."""
        for path in sorted(self.path.rglob("*"), reverse=True):  # what is inside comes first
            if path.is_dir() and not path.is_symlink():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in kept:
                path.unlink()


def lock_of(directory: Path) -> Path:
    """Return the file that whoever changes the weights in `directory` holds locked."""
    return directory.with_name(f".{directory.name}.lock")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _make_readable(path: Path) -> None:
    """Leave a right mode alone: the file may have another name elsewhere (`caches.link`)."""
    if stat.S_IMODE(path.stat().st_mode) not in READABLE:
        path.chmod(0o644)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
