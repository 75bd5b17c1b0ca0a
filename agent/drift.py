"""`python -m agent.drift`: does the node still look as the last deploy left it?

Compares the deploy's manifest with the files, units and packages that are there, and writes the
result to `/var/lib/stoker/drift.json`. Exit code 0: converged, 2: drift, 1: cannot tell.
It reads only; a deploy corrects.
"""

import argparse
import grp
import hashlib
import pwd
import random
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from agent.errors import SourceError
from agent.paths import Paths


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what a manifest holds."""


class File(Part):
    """A regular file; `mode` in octal digits."""

    sha256: str
    mode: str
    user: str
    group: str


class Directory(Part):
    """A directory; what else lies in it is not ours."""

    mode: str
    user: str
    group: str


class Link(Part):
    """A symbolic link."""

    target: str


class Unit(Part):
    """A systemd unit; None = the deploy does not mind."""

    enabled: bool | None = None
    active: bool | None = None


class Package(Part):
    """An installed package; `version` only where the deploy pins one."""

    hold: bool = False
    version: str | None = None


class Manifest(Part):
    """Everything that the deploy manages on a node."""

    schema: int = 1
    files: dict[str, File] = {}
    directories: dict[str, Directory] = {}
    links: dict[str, Link] = {}
    units: dict[str, Unit] = {}
    packages: dict[str, Package] = {}


class Drifted(msgspec.Struct, frozen=True):
    """One thing that differs."""

    what: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.what}: is {self.found}, should be {self.wanted}"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one comparison; `at` is seconds since 1970 (UTC)."""

    at: float
    drifted: tuple[Drifted, ...]


class Node(Protocol):
    """Where the node's state is read. `tests/agent/test_drift.py` has the fake."""

    def path(self, path: str) -> File | Directory | Link | None:
        """Return what lies at `path`; None = nothing."""

    def units(self, names: Sequence[str]) -> Mapping[str, Unit]:
        """Return the state of units."""

    def packages(self, names: Sequence[str]) -> Mapping[str, Package]:
        """Return the installed ones among `names`."""


def compare(manifest: Manifest, node: Node) -> Iterator[Drifted]:
    """Yield everything that differs, in a stable order."""
    paths: dict[str, File | Directory | Link] = {
        **manifest.files,
        **manifest.directories,
        **manifest.links,
    }
    for path, wanted in sorted(paths.items()):
        yield from _parts(path, node.path(path), wanted)
    units = node.units(sorted(manifest.units)) if manifest.units else {}
    for name, unit in sorted(manifest.units.items()):
        yield from _parts(name, units.get(name), unit)
    packages = node.packages(sorted(manifest.packages)) if manifest.packages else {}
    for name, package in sorted(manifest.packages.items()):
        yield from _parts(f"package {name}", packages.get(name), package)


def _parts(what: str, found: Part | None, wanted: Part) -> Iterator[Drifted]:
    if found is None or type(found) is not type(wanted):
        is_now = "missing" if found is None else f"a {type(found).__name__.lower()}"
        yield Drifted(what, is_now, f"a {type(wanted).__name__.lower()}")
        return
    for field in wanted.__struct_fields__:
        now, then = getattr(found, field), getattr(wanted, field)
        if then is not None and now != then:
            yield Drifted(f"{what} {field}", str(now), str(then))


class RealNode:
    """Reads this machine; raises `SourceError` when it cannot."""

    def path(self, path: str) -> File | Directory | Link | None:
        """See `Node`."""
        try:
            info = Path(path).lstat()
            if stat.S_ISLNK(info.st_mode):
                return Link(target=str(Path(path).readlink()))
            mode = f"{stat.S_IMODE(info.st_mode):o}"
            user, group = _names(info.st_uid, info.st_gid)
            if stat.S_ISDIR(info.st_mode):
                return Directory(mode=mode, user=user, group=group)
            digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error
        return File(sha256=digest, mode=mode, user=user, group=group)

    def units(self, names: Sequence[str]) -> Mapping[str, Unit]:
        """See `Node`."""
        shown = _run(["systemctl", "show", "-p", "Id,ActiveState,UnitFileState", *names])
        blocks = [dict(line.split("=", 1) for line in b.splitlines()) for b in shown.split("\n\n")]
        return {
            name: Unit(
                enabled=block.get("UnitFileState") == "enabled",
                active=block.get("ActiveState") in {"active", "activating", "reloading"},
            )
            for name, block in zip(names, blocks, strict=True)
        }

    def packages(self, names: Sequence[str]) -> Mapping[str, Package]:
        """See `Node`."""
        form = "${Package} ${db:Status-Want} ${db:Status-Status} ${Version}\n"
        shown = _run(["dpkg-query", "-W", "-f", form, *names], also_good=1)
        rows = [line.split(" ") for line in shown.splitlines()]
        return {
            name: Package(hold=want == "hold", version=version)
            for name, want, status, version in rows
            if status == "installed"
        }


def _names(uid: int, gid: int) -> tuple[str, str]:
    try:
        return pwd.getpwuid(uid).pw_name, grp.getgrgid(gid).gr_name
    except KeyError:
        return str(uid), str(gid)


def _run(command: Sequence[str], also_good: int = 0) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError(f"{command[0]}: {error}") from error
    if done.returncode not in {0, also_good}:
        raise SourceError(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare once, write the report, and print it."""
    parser = argparse.ArgumentParser(
        prog="agent.drift", description="Compare with the last deploy."
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--splay", type=int, default=0, help="wait up to so many seconds first")
    options = parser.parse_args(arguments)
    time.sleep(random.uniform(0, options.splay))  # noqa: S311 - spreads load, hides nothing
    state = Paths().state
    try:
        manifest = msgspec.json.decode((state / "manifest.json").read_bytes(), type=Manifest)
        drifted = tuple(compare(manifest, RealNode()))
    except (OSError, msgspec.DecodeError, SourceError) as error:
        print(f"cannot tell whether the node drifted: {error}", file=sys.stderr)
        return 1
    report = msgspec.json.encode(Report(at=time.time(), drifted=drifted))
    new = state / "drift.json.new"
    new.write_bytes(report + b"\n")
    new.replace(state / "drift.json")
    if options.json:
        print(report.decode())
    else:
        print("\n".join(map(str, drifted)) or "converged: the node is as the last deploy left it")
    return 2 if drifted else 0


if __name__ == "__main__":
    sys.exit(main())
