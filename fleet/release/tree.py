"""The deploy itself as files: what a node needs to converge by itself."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from fleet.render import ROOT

# In `group_data/` only the defaults: what other groups say has become the spec of each host.
FILES = ("config.py", "deploy.py", "pyproject.toml", "requirements/node.lock")
DIRECTORIES = ("agent", "fleet", "templates")
DATA = ("group_data/all.py", "inventory/node.py")
LEFT_OUT = "__pycache__"  # with what Python is just writing there, under passing names


def files(root: Path = ROOT) -> Iterator[str]:
    """Yield the paths of all files, relative to the root, sorted."""
    found = [*FILES, *DATA]
    for directory in DIRECTORIES:
        paths = (root / directory).rglob("*")
        found += [
            str(path.relative_to(root))
            for path in paths
            if LEFT_OUT not in path.parts and path.is_file()
        ]
    return iter(sorted(found))


@cache
def digest(root: Path = ROOT) -> str:
    """Return a SHA-256 that changes with any file of the tree as this run first read it."""
    return _mixed(_taken(root))


def changed(root: Path = ROOT) -> bool:
    """Say whether a file of the tree is no longer as this run first read it."""
    return _mixed(_contents(root)) != digest(root)


@cache
def pack(root: Path = ROOT) -> bytes:
    """Return the tree as a tar archive, the same bytes for the same files; `digest` is of these."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as tar:
        for name, content in _taken(root).items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@cache
def _taken(root: Path) -> dict[str, bytes]:
    return _contents(root)


def _contents(root: Path) -> dict[str, bytes]:
    return {name: (root / name).read_bytes() for name in files(root)}


def _mixed(contents: dict[str, bytes]) -> str:
    mixed = hashlib.sha256()
    for name, content in contents.items():
        mixed.update(f"{name}\0{len(content)}\0".encode() + content)
    return mixed.hexdigest()
