"""The releases on this node: what each holds, which is current, and which may go.

A release is a directory that nobody changes once it is there: `/opt/stoker/releases/ID` with

    about.json     who made it, when, of what (`About`)
    host.json      the spec
    tree/          the deploy itself, with the program's sources
    files/         what the control machine gave: certificate, keys; root's alone
    manifest.json  what a host that has converged to it looks like; last, so its mark of success

and `current` leads to the one that this node has converged to last.
"""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import msgspec

from agent.errors import GARBLED, SourceError

ROOT = Path("/opt/stoker/releases")
CURRENT = "current"
ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{10}")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Where a release came from. `digest` is of all that it was made of; `at` seconds, UTC.

    `by` is USER@MACHINE, `source` the commit of the deploy tree, `program` the stamp of its venv.
    """

    id: str
    digest: str
    at: float
    by: str
    source: str
    program: str
    images: tuple[str, ...]
    models: tuple[str, ...]
    driver: str


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release as it lies on the node; `complete` = a host has converged to it."""

    about: About
    complete: bool
    current: bool


def read(root: Path = ROOT) -> tuple[Release, ...]:
    """Return the releases, oldest first; raise `SourceError` when one cannot be read."""
    if not root.is_dir():
        return ()
    here = current(root)
    return tuple(
        Release(
            about=_about(directory),
            complete=(directory / "manifest.json").exists(),
            current=directory.name == here,
        )
        for directory in sorted(root.iterdir())
        if ID.fullmatch(directory.name) and directory.is_dir()
    )


def current(root: Path = ROOT) -> str | None:
    """Return the id of the release that this node has converged to; None before the first."""
    try:
        return (root / CURRENT).readlink().name
    except OSError:
        return None


def garbage(releases: Iterable[Release], keep: int) -> tuple[Release, ...]:
    """Return what may go: all but the current one and the newest `keep` complete ones beside it.

    What is newer than the current one and not complete is a deploy that is under way, or failed.
    """
    releases = tuple(releases)
    newest = [one.about.id for one in releases if one.complete and not one.current][::-1][:keep]
    here = max((one.about.id for one in releases if one.current), default="")
    return tuple(
        one
        for one in releases
        if not one.current and one.about.id not in newest and (one.complete or one.about.id < here)
    )


def remove(gone: Iterable[Release], root: Path = ROOT) -> None:
    """Remove releases, each by a rename first, so that none is ever half there."""
    for one in gone:
        aside = root / f".{one.about.id}.gone"
        (root / one.about.id).rename(aside)
        shutil.rmtree(aside)


def _about(directory: Path) -> About:
    try:
        return msgspec.json.decode((directory / "about.json").read_bytes(), type=About)
    except (OSError, *GARBLED) as error:
        raise SourceError(f"{directory}/about.json: {error}") from error
