"""Weights that lie in a cache of the Hub on this node already: linked or copied, never believed.

They come to where a fetch gathers its files, so the next fetch verifies them and downloads what is
missing or differs. The cache stays as it is. Its layout is huggingface_hub's: the files of
`models--ORGANISATION--NAME/snapshots/COMMIT/` are links to blobs elsewhere in the cache.
"""

import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from agent.errors import ActionError
from agent.weights import plan, progress
from agent.weights.origin import begun
from agent.weights.partial import READABLE, Partial, lock_of
from agent.weights.plan import File, amount

FICLONE = 0x40049409  # linux/fs.h: one file's blocks are shared with another, until one is written


class Take:
    """Takes one commit of one model out of a cache; `free` tells the bytes free on a disk."""

    def __init__(
        self, cache: Path, directory: Path, free: Callable[[Path], int], say: Callable[[str], None]
    ) -> None:
        self._cache, self._directory, self._free, self._say = cache, directory, free, say
        self._partial = Partial(directory).path

    def run(self, repo: str, commit: str, *, code: bool) -> None:
        """Do it; nothing where complete weights lie, or while a fetch runs. Raises `OSError`."""
        found = snapshot(self._cache, repo, commit)
        listed = [
            File(path=path, size=real.stat().st_size, blob="") for path, real in found.items()
        ]
        files = plan.wanted(listed, code=code)
        if self._directory.exists() or not files:
            return
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        with lock_of(self._directory).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self._take(f"{repo}@{commit[:12]}", found, files)

    def _take(self, what: str, found: Mapping[str, Path], files: Sequence[File]) -> None:
        missing = [file for file in files if not (self._partial / file.path).exists()]
        for file in missing:
            (self._partial / file.path).parent.mkdir(parents=True, exist_ok=True)
        rest = [file for file in missing if not link(found[file.path], self._partial / file.path)]
        linked, copied = size(missing) - size(rest), size(rest)
        free = self._free(self._directory.parent)
        if fault := plan.disk_fault(copied, free, str(self._directory.parent)):
            self._say(f"{self._cache}: not copied: {fault}")
            rest, copied = [], 0
        with progress.told(self._partial, size(files), self._say):
            for file in rest:
                self._copy(found[file.path], file)
        self._say(
            f"{what} from {self._cache}: {amount(linked)} linked, {amount(copied)} copied; "
            "to be verified"
        )

    def _copy(self, source: Path, file: File) -> None:
        part = begun(self._partial, file)
        part.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as old, part.open("wb") as new:
            try:
                fcntl.ioctl(new.fileno(), FICLONE, old.fileno())
            except OSError:  # another file system, or one that cannot share blocks
                shutil.copyfileobj(old, new, 16 * 1024 * 1024)
        part.replace(self._partial / file.path)


def size(files: Sequence[File]) -> int:
    """Return the bytes of all files together."""
    return sum(file.size for file in files)


def snapshot(cache: Path, repo: str, commit: str) -> dict[str, Path]:
    """Map the paths of a snapshot to its real files; what lies outside of the cache is left out."""
    top = cache / f"models--{repo.replace('/', '--')}" / "snapshots" / commit
    return dict(_real_files(top, cache.resolve()))


def _real_files(top: Path, cache: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(top.rglob("*")):
        with suppress(OSError, RuntimeError):  # a link to nothing, or to itself
            real = path.resolve(strict=True)
            if real.is_file() and cache in real.parents:
                yield path.relative_to(top).as_posix(), real


def link(source: Path, target: Path) -> bool:
    """Link a file if that is harmless; return False when it must be copied."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system
        return False
    if harmless(target.lstat(), os.geteuid()):
        return True
    target.unlink()
    return False


def harmless(seen: os.stat_result, ours: int) -> bool:
    """Say whether a file may get a second name; both share its content, its owner and its mode.

    So nobody but us (root, on a node) may be able to write to it, and its mode must be right.
    """
    mode = seen.st_mode
    return stat.S_ISREG(mode) and stat.S_IMODE(mode) in READABLE and seen.st_uid == ours


def take(
    caches: Sequence[Path],
    places: Mapping[tuple[str, str], Path],
    free: Callable[[Path], int],
    say: Callable[[str], None],
    *,
    code: bool,
) -> None:
    """Take what each of `places` (by repository and commit) needs from `caches`.

    Raises `ActionError` when a cache cannot be read; what was taken before stays.
    """
    for cache in caches:
        for (repo, commit), directory in places.items():
            try:
                Take(cache, directory, free, say).run(repo, commit, code=code)
            except OSError as error:
                raise ActionError(f"{cache}: {error}") from error
