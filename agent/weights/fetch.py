"""Fetching one commit: check access, check the disk, download, verify, rename."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from agent import manifest
from agent.errors import ActionError
from agent.manifest import Entry, Manifest
from agent.weights import plan, progress
from agent.weights.hub import Hub
from agent.weights.plan import File
from agent.weights.trouble import Asked, explain
from agent.weights.verify import verify

T = TypeVar("T")
DELAYS = (2.0, 5.0, 15.0, 30.0, 60.0, 60.0)  # seconds between two tries
CACHE = ".cache"  # the library's own notes inside the directory


class World(msgspec.Struct, frozen=True, kw_only=True):
    """The edges of a fetch. `free` tells the bytes free on the disk of a directory."""

    hub: Hub
    free: Callable[[Path], int]
    say: Callable[[str], None]
    pause: Callable[[float], None]


class Fetch:
    """Leaves the commit `asked` verified in `directory`, or raises `ActionError`; one use."""

    def __init__(self, asked: Asked, directory: Path, world: World, *, code: bool) -> None:
        self._asked, self._directory, self._world, self._code = asked, directory, world, code
        self._partial = directory.with_name(directory.name + ".partial")

    def run(self) -> None:
        """Do it; nothing when the weights are complete already."""
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            fault = manifest.quick_fault(self._directory, code=self._code)
            if fault is None:
                self._world.say(f"{self._directory} is complete already")
                return
            if self._directory.exists():
                self._world.say(f"{fault}: fetching again")
                shutil.rmtree(self._partial, ignore_errors=True)
                self._directory.rename(self._partial)
            self._fetch()

    def _fetch(self) -> None:
        self._try(self._world.hub.check)
        files = plan.wanted(self._try(self._world.hub.listing), code=self._code)
        if not plan.has_weights(files):
            raise ActionError(
                f"{self._asked.repo} has no .safetensors at {self._asked.commit}: Stoker serves "
                "no pickled weights, for they can run any code"
            )
        self._partial.mkdir(exist_ok=True)
        self._drop(manifest.wrong_sizes(self._partial, {file.path: file.size for file in files}))
        self._check_disk(files)
        entries = self._download(files)
        self._finish(files, entries)

    def _check_disk(self, files: Sequence[File]) -> None:
        missing = sum(file.size for file in files if not (self._partial / file.path).exists())
        free = self._world.free(self._partial)
        if fault := plan.disk_fault(missing, free, str(self._directory.parent)):
            raise ActionError(fault)

    def _download(self, files: Sequence[File]) -> dict[str, Entry]:
        """Fetch and verify; what does not verify is fetched once more."""
        total = sum(file.size for file in files)
        for _ in range(2):
            with progress.told(self._partial, total, self._world.say):
                self._try(lambda: self._world.hub.download(self._partial, code=self._code))
            self._world.say(f"verifying {len(files)} files, {plan.amount(total)}")
            entries, bad = verify(self._partial, files)
            if not bad:
                return entries
            self._world.say(f"{', '.join(bad)}: not what the Hub lists; fetching again")
            self._drop(bad)
        raise ActionError(f"{', '.join(bad)}: differs from the Hub's listing after a second fetch")

    def _drop(self, paths: Sequence[str]) -> None:
        """Remove files, and the library's notes that it has them."""
        for path in paths:
            (self._partial / path).unlink(missing_ok=True)
            notes = self._partial / CACHE / "huggingface" / "download"
            (notes / f"{path}.metadata").unlink(missing_ok=True)

    def _finish(self, files: Sequence[File], entries: dict[str, Entry]) -> None:
        shutil.rmtree(self._partial / CACHE, ignore_errors=True)
        for file in files:
            path = self._partial / file.path
            path.chmod(0o644)
            _sync(path)
        made = Manifest(
            repo=self._asked.repo, commit=self._asked.commit, code=self._code, files=entries
        )
        manifest.save(self._partial, made)
        self._partial.chmod(0o755)
        _sync(self._partial)
        self._partial.rename(self._directory)
        _sync(self._directory.parent)
        self._world.say(f"{self._directory} is complete: {plan.amount(made.size)}")

    def _try(self, call: Callable[[], T]) -> T:
        for delay in (*DELAYS, None):
            try:
                return call()
            except Exception as error:
                trouble = explain(error, self._asked)
                if not trouble.passing or delay is None:
                    raise ActionError(trouble.sentence) from error
                wait = max(delay, min(trouble.after, DELAYS[-1]))
                self._world.say(f"{trouble.sentence}; trying again in {wait:.0f} s")
                self._world.pause(wait)
        raise AssertionError  # the last delay is None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Two engines may share a model: one fetches, the other waits and finds it complete."""
        lock = self._directory.with_name(f".{self._directory.name}.lock")
        with lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._world.say("another fetch of the same weights runs; waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
