"""Weights on this node that nothing needs any more. It removes none that it is not sure of.

Needed is what the host's spec or that of any retained release names, and what a running container
has mounted. If one of these cannot be read, nobody can tell, and nothing is removed.
"""

import fcntl
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from agent import spec
from agent.engine_spec import folder
from agent.errors import GARBLED, ActionError, SourceError
from agent.spec import HostSpec
from agent.weights import progress
from agent.weights.partial import lock_of

# ORGANISATION--NAME/COMMIT, what is not complete yet, and what was being removed. Nothing else
# below the root is looked at.
REPOSITORY = re.compile(r"[\w.-]+--[\w.-]+")
COMMIT = re.compile(r"\.?([0-9a-f]{40})(\.partial|\.gone)?")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One directory of weights, its bytes, and what needs it (nothing = garbage)."""

    path: str
    size: int
    needed_by: tuple[str, ...]


def retained(current: Path, releases: Path) -> dict[str, HostSpec]:
    """Read the specs that this node may have to serve, by name; raise `SourceError`."""
    specs = {"the host's spec": _read(current)}
    if releases.is_dir():
        for release in sorted(releases.iterdir()):
            if release.is_dir() and not release.is_symlink():  # `current` is a link to one
                specs[f"release {release.name}"] = _read(release / current.name)
    return specs


def mounted(proc: Path) -> frozenset[str]:
    """Return what every process has mounted: the places inside of their filesystems."""
    places = set[str]()
    for path in proc.glob("[0-9]*/mountinfo"):
        try:
            lines = path.read_text(errors="surrogateescape").split("\n")
        except OSError:
            continue  # the process has ended, and mounts nothing
        places |= {line.split(" ", 4)[3] for line in lines if line}  # proc(5): the fourth field
    return frozenset(places)


def survey(specs: Mapping[str, HostSpec], mounts: Iterable[str]) -> tuple[Found, ...]:
    """Return all directories of weights below the roots of `specs`, sorted by path."""
    mounts = tuple(mounts)
    wanted: dict[Path, list[str]] = {}
    for name, host in specs.items():
        for engine in host.engines.values():
            for repo, commit in engine.repositories:
                wanted.setdefault(Path(host.model.root) / folder(repo, commit), []).append(name)
    found = list[Found]()
    for root in sorted({Path(host.model.root) for host in specs.values()}):
        for path, place in _directories(root):
            users = list(dict.fromkeys(wanted.get(place, [])))
            if any(mount.endswith(f"/{path.parent.name}/{path.name}") for mount in mounts):
                users.append("a running container")
            gone = path.name.endswith(".gone")
            size = progress.size(path)
            found.append(Found(path=str(path), size=size, needed_by=() if gone else tuple(users)))
    return tuple(found)


def remove(found: Found) -> None:
    """Remove one directory of weights, by a rename first; raise `ActionError`."""
    if found.needed_by:
        raise ActionError(f"{found.path} is needed by {', '.join(found.needed_by)}")
    path = Path(found.path)
    with _alone(path):
        gone = path
        if not path.name.endswith(".gone"):
            gone = path.with_name(f".{path.name.removesuffix('.partial')}.gone")
            shutil.rmtree(gone, ignore_errors=True)
            path.rename(gone)
        shutil.rmtree(gone)


def _read(path: Path) -> HostSpec:
    try:
        return spec.load(path.read_bytes())
    except (OSError, *GARBLED) as error:
        raise SourceError(f"cannot tell which weights are needed: {path}: {error}") from error


def _directories(root: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each directory, and the place of the weights that it belongs to."""
    for repository in sorted(root.iterdir()) if root.is_dir() else ():
        if not REPOSITORY.fullmatch(repository.name) or not _real(repository):
            continue
        for path in sorted(repository.iterdir()):
            if (match := COMMIT.fullmatch(path.name)) and _real(path):
                yield path, repository / match[1]


def _real(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    match = COMMIT.fullmatch(path.name)
    assert match, path
    with lock_of(path.with_name(match[1])).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ActionError(f"{path} is being fetched right now") from error
        yield
