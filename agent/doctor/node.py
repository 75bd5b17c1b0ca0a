"""The node as examinations read it. `tests/agent/doctor/fakes.py` has the fake."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from agent.snapshot import Snapshot


class Ran(msgspec.Struct, frozen=True):
    """How a program ended, and what it wrote."""

    code: int
    out: str = ""
    err: str = ""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What lies at a path. `mode`: permission bits; times in seconds since 1970.

    `time`: last written; `arrived`: laid there or changed in any way (ctime), which of a package's
    files alone tells when they came. `shut`: a directory above lets no other user through.
    """

    mode: int = 0o644
    user: int = 0
    directory: bool = False
    time: float = 0.0
    arrived: float = 0.0
    shut: bool = False


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """A file system; bytes and inodes for ordinary users. `inodes` 0: it counts none."""

    where: int
    free: int
    total: int
    inodes_free: int = 0
    inodes: int = 0


class Node(Protocol):
    """Raises `SourceError` for what it cannot read, and returns None for what is not there."""

    def text(self, path: str) -> str | None:
        """Return the content of a small file."""

    def look(self, path: str) -> Look | None:
        """Return what lies at `path`; links are followed."""

    def paths(self, pattern: str) -> Sequence[str]:
        """Return the paths that match a shell pattern, sorted."""

    def real(self, path: str) -> str | None:
        """Return where a link leads in the end."""

    def space(self, path: str) -> Space | None:
        """Return the file system of `path`."""

    def run(self, *command: str, seconds: float = 5.0) -> Ran | None:
        """Run a program that only looks; None where there is no such program."""

    def agent(self) -> Snapshot:
        """Return what the agent published last."""

    def certificate(self, port: int) -> str | None:
        """Return the certificate (PEM) that is served on a port here; None = nothing listens."""
