"""Are the files on the disk what the Hub's listing says? Reads every byte once."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agent.manifest import Entry, sha256
from agent.weights.plan import File

HASHERS = 4  # hashing releases the interpreter lock; more only fight for the disk


def verify(directory: Path, files: Sequence[File]) -> tuple[dict[str, Entry], list[str]]:
    """Return an entry for each good file, and the paths of those that are missing or differ."""
    with ThreadPoolExecutor(HASHERS) as pool:
        entries = list(pool.map(lambda file: _measure(directory / file.path, file), files))
    good = {file.path: entry for file, entry in zip(files, entries, strict=True) if entry}
    return good, [file.path for file in files if file.path not in good]


def _measure(path: Path, file: File) -> Entry | None:
    try:
        before = path.stat()
        if before.st_size != file.size:
            return None
        found = sha256(path)
        right = found == file.sha256 if file.sha256 else git_blob(path) == file.blob
    except OSError:
        return None
    return Entry(size=file.size, sha256=found, mtime=before.st_mtime_ns) if right else None


def git_blob(path: Path) -> str:
    """Return the id that git gives to a (small) file's content."""
    content = path.read_bytes()
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
