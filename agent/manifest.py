"""What lies in a directory of weights: written once, after every file was verified.

A directory with a manifest is complete: it got its name by a rename after the last check.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agent.errors import GARBLED

NAME = ".stoker-manifest.json"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One file: its size in bytes, the SHA-256 of its content in hex, when it was written last.

    `mtime` is in nanoseconds; 0 = not known, in a manifest of before it was kept.
    """

    size: int
    sha256: str
    mtime: int = 0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one commit of one model, by path; `code` = the model's Python files too.

    `lock` is the digest of the lock entry that the files were verified against, if there was one.
    """

    repo: str
    commit: str
    code: bool
    files: dict[str, Entry]
    lock: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.files.values())


def load(directory: Path) -> Manifest:
    """Read the manifest in `directory`; raise `OSError` or one of `GARBLED`."""
    return msgspec.json.decode((directory / NAME).read_bytes(), type=Manifest)


def save(directory: Path, manifest: Manifest) -> None:
    """Write the manifest into `directory` and wait until it is on the disk."""
    new = directory / (NAME + ".new")
    with new.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest, order="sorted")) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(directory / NAME)


def quick_fault(directory: Path, *, code: bool = False) -> str | None:
    """Say in a sentence what is wrong in `directory`, by names and sizes; None = complete.

    With `code`, the model's own Python files must be there too.
    """
    try:
        manifest = load(directory)
    except (FileNotFoundError, NotADirectoryError):
        return f"there are no complete weights in {directory}"
    except (OSError, *GARBLED) as error:
        return f"{directory / NAME} cannot be read: {error}"
    if code and not manifest.code:
        return f"the weights in {directory} were fetched without the model's own code"
    wrong = wrong_sizes(directory, {path: entry.size for path, entry in manifest.files.items()})
    return f"{directory}: {', '.join(wrong)}: missing or of the wrong size" if wrong else None


def doubt(directory: Path, *, code: bool, lock: str) -> str | None:
    """Say why the weights must be looked at before they are served again; None = no doubt.

    Stricter than `quick_fault`: no file was written to since it was verified, and it was verified
    against `lock`, the digest of a lock entry (empty = there is none).
    """
    if fault := quick_fault(directory, code=code):
        return fault
    manifest = load(directory)
    if lock and manifest.lock != lock:
        return f"the weights in {directory} were not verified against the lock"
    touched = written_since(directory, manifest)
    return f"{directory}: {', '.join(touched)}: written to since verified" if touched else None


def wrong_sizes(directory: Path, sizes: Mapping[str, int]) -> list[str]:
    """Return the paths whose file in `directory` is missing or not of the expected size."""
    return [path for path, size in sizes.items() if _size(directory / path) != size]


def written_since(directory: Path, manifest: Manifest) -> list[str]:
    """Return the paths that were written to after they had been verified; raise `OSError`."""
    return [
        path
        for path, entry in manifest.files.items()
        if (directory / path).stat().st_mtime_ns != entry.mtime
    ]


def damaged(directory: Path) -> list[str]:
    """Return the paths whose content is not what it was when verified; reads every byte."""
    try:
        files = load(directory).files
    except (OSError, *GARBLED):
        return [NAME]
    return [path for path, entry in files.items() if not _is(directory / path, entry)]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is(path: Path, entry: Entry) -> bool:
    try:
        return path.stat().st_size == entry.size and sha256(path) == entry.sha256
    except OSError:  # gone, or the disk cannot read it
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
