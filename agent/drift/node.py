"""This machine, as far as a manifest speaks of it. Reads only."""

import grp
import hashlib
import pwd
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.drift.manifest import Directory, File, Link, Package, Unit
from agent.errors import SourceError


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
