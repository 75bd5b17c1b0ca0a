"""Fetching one commit: check access, check the disk, download, verify, rename."""

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from agent import manifest
from agent.errors import ActionError
from agent.manifest import Entry, Manifest
from agent.weights import plan, progress
from agent.weights.lock import Locked
from agent.weights.origin import Origin
from agent.weights.partial import Partial, lock_of
from agent.weights.patience import patiently
from agent.weights.plan import File
from agent.weights.trouble import Asked, pickled
from agent.weights.verify import verify

T = TypeVar("T")


class World(msgspec.Struct, frozen=True, kw_only=True):
    """The edges of a fetch. `free` tells the bytes free on the disk of a directory."""

    origin: Origin
    free: Callable[[Path], int]
    say: Callable[[str], None]
    pause: Callable[[float], None]


class Fetch:
    """Leaves the commit `asked` verified in `directory`, or raises `ActionError`; one use.

    With `locked` the files are what the lock says, whatever the origin lists.
    """

    def __init__(
        self,
        asked: Asked,
        directory: Path,
        world: World,
        *,
        code: bool,
        locked: Locked | None = None,
    ) -> None:
        self._asked, self._directory, self._world, self._code = asked, directory, world, code
        self._locked, self._lock = locked, locked.digest if locked else ""
        self._partial = Partial(directory)

    def run(self) -> None:
        """Do it; nothing when the weights are complete already."""
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            fault = manifest.doubt(self._directory, code=self._code, lock=self._lock)
            if fault is None:
                self._world.say(f"{self._directory} is complete already")
                return
            if self._directory.exists():
                self._world.say(fault)
                if self._still_good():
                    return
            self._fetch()

    def _still_good(self) -> bool:
        """Verify complete weights where they lie, for an engine may be serving them."""
        if manifest.quick_fault(self._directory, code=self._code):
            return False
        known = manifest.load(self._directory)
        files = _as_verified(known)
        if self._locked is not None:
            files = plan.wanted(self._locked.files, code=known.code)
        if {file.path for file in files} != set(known.files):
            return False
        entries, bad = self._verified(self._directory, files)
        if bad:
            self._world.say(f"{', '.join(bad)}: damaged; fetching again")
            return False
        manifest.save(self._directory, self._manifest(entries, known.code))
        self._world.say(f"{self._directory} is as it should be")
        return True

    def _files(self) -> tuple[File, ...]:
        if self._locked is not None:
            files = plan.wanted(self._locked.files, code=self._code)
        else:
            files = plan.wanted(self._try(self._world.origin.listing), code=self._code)
        if odd := plan.outside(files):
            raise ActionError(f"{self._asked.repo} lists {odd[0]!r}, outside of its own directory")
        if not plan.has_weights(files):
            raise ActionError(pickled(self._asked))
        return files

    def _fetch(self) -> None:
        self._try(self._world.origin.check)
        files = self._files()
        if self._directory.exists():  # not before: what cannot be fetched anew is not taken away
            self._partial.take()
        self._partial.open(files)
        missing = self._partial.missing(files)
        free = self._world.free(self._partial.path)
        if fault := plan.disk_fault(missing, free, str(self._directory.parent)):
            raise ActionError(fault)
        made = self._manifest(self._download(files), self._code)
        self._partial.finish(files, made)
        self._world.say(f"{self._directory} is complete: {plan.amount(made.size)}")

    def _download(self, files: Sequence[File]) -> dict[str, Entry]:
        """Fetch and verify; what does not verify is fetched once more."""
        total, path = sum(file.size for file in files), self._partial.path
        for _ in range(2):
            with progress.told(path, total, self._world.say):
                self._try(lambda: self._world.origin.bring(path, files))
            entries, bad = self._verified(path, files)
            if not bad:
                return entries
            self._world.say(f"{', '.join(bad)}: not what {self._source} lists; fetching again")
            self._partial.drop(bad)
        raise ActionError(f"{', '.join(bad)}: not what {self._source} lists, after a second fetch")

    def _verified(
        self, directory: Path, files: Sequence[File]
    ) -> tuple[dict[str, Entry], list[str]]:
        total = sum(file.size for file in files)
        self._world.say(f"verifying {len(files)} files, {plan.amount(total)}")
        return verify(directory, files)

    def _manifest(self, entries: dict[str, Entry], code: bool) -> Manifest:
        repo, commit = self._asked.repo, self._asked.commit
        return Manifest(repo=repo, commit=commit, code=code, files=entries, lock=self._lock)

    @property
    def _source(self) -> str:
        return "models.lock" if self._locked else "the Hub"

    def _try(self, call: Callable[[], T]) -> T:
        return patiently(call, self._asked, self._world.say, self._world.pause)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two engines may share a model: one fetches, the other waits and finds it complete."""
        with lock_of(self._directory).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._world.say("another fetch of the same weights runs; waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _as_verified(known: Manifest) -> tuple[File, ...]:
    """Return the files of a manifest, to be verified against it."""
    return tuple(
        File(path=path, size=entry.size, blob="", sha256=entry.sha256)
        for path, entry in known.files.items()
    )
