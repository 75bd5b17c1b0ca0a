"""Models on disk as the Hub describes them: files with their git and LFS hashes, and one commit."""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path

SETTINGS_FILE = "repo.json"
_LFS_SUFFIXES = (".safetensors", ".bin", ".gguf", ".pth", ".onnx", ".model")
_LFS_BYTES = 10 * 1024 * 1024  # the Hub refuses larger files outside LFS
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Settings:
    """What `repo.json` may say about a model; everything defaults to a public one.

    `xet`: its large files are in Xet storage, which nobody can reach from here.
    """

    gated: bool = False
    private: bool = False
    disabled: bool = False
    xet: bool = False

    @classmethod
    def load(cls, directory: Path) -> Settings:
        path = directory / SETTINGS_FILE
        data = json.loads(path.read_text()) if path.is_file() else {}
        known = {field.name for field in fields(cls)}
        for key, value in data.items():
            if key not in known or not isinstance(value, bool):
                raise ValueError(
                    f"{path}: {key} = {value!r}: expected one of {sorted(known)}: bool"
                )
        return cls(**data)

    def save(self, directory: Path) -> None:
        (directory / SETTINGS_FILE).write_text(json.dumps(self.__dict__, indent=2) + "\n")


@dataclass(frozen=True)
class File:
    """One file of a model. `oid` is its git blob id; `sha256` is set for LFS files only."""

    path: str
    size: int
    oid: str
    sha256: str | None
    source: Path

    @property
    def etag(self) -> str:
        return self.sha256 or self.oid


@dataclass(frozen=True)
class Repo:
    """A model at its only commit (`main`)."""

    id: str
    settings: Settings
    files: tuple[File, ...]
    commit: str

    def file(self, path: str) -> File | None:
        return next((file for file in self.files if file.path == path), None)


def load(directory: Path, repo_id: str) -> Repo:
    """Read a model's directory; hashes of unchanged files (path, size, mtime) are remembered."""
    files = []
    for source in sorted(path for path in directory.rglob("*") if path.is_file()):
        path = source.relative_to(directory).as_posix()
        if path == SETTINGS_FILE or path.startswith("."):
            continue
        stat = source.stat()
        files.append(_describe(path, source, stat.st_size, stat.st_mtime_ns))
    return Repo(repo_id, Settings.load(directory), tuple(files), _commit(files))


def commit_of(directory: Path) -> str:
    """The commit (40 hex digits) under which the hub serves this directory."""
    return load(directory, "").commit


def _commit(files: list[File]) -> str:
    listing = "".join(f"{file.oid} {file.path}\n" for file in files)
    return hashlib.sha1(listing.encode()).hexdigest()


@functools.lru_cache(maxsize=4096)
def _describe(path: str, source: Path, size: int, mtime_ns: int) -> File:
    del mtime_ns  # only a part of the cache's key
    if path.endswith(_LFS_SUFFIXES) or size > _LFS_BYTES:
        sha256 = hashlib.sha256()
        with source.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                sha256.update(chunk)
        pointer = lfs_pointer(sha256.hexdigest(), size)
        return File(path, size, _git_blob(pointer), sha256.hexdigest(), source)
    return File(path, size, _git_blob(source.read_bytes()), None, source)


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The text that git stores in place of an LFS file (git-lfs specification, version 1)."""
    lines = ("version https://git-lfs.github.com/spec/v1", f"oid sha256:{sha256}", f"size {size}")
    return "".join(f"{line}\n" for line in lines).encode()


def _git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
