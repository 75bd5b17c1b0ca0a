"""Directories in which engines keep what they compiled: one for each image.

An engine is not trusted, and everything in its directory is its own: nothing there is followed,
and where the owner is wrong, it is thrown away rather than handed over.
"""

import os
import shutil
from pathlib import Path

KEPT = 2  # the one in use, and the one before it: for a rollback


def prepare(root: Path, image: str, user: str) -> Path:
    """Return the directory for `image` below `root`, empty unless `user` ("UID:GID") filled it.

    Raises `OSError`. Others but the youngest are removed.
    """
    uid, _, gid = user.partition(":")
    own = (int(uid), int(gid))
    root.mkdir(parents=True, exist_ok=True)
    root.parent.chmod(0o700)  # a user of the host with the same number has no business there
    path = root / image.rpartition(":")[2][:16]
    if path.is_dir() and (path.stat().st_uid, path.stat().st_gid) != own:
        shutil.rmtree(path)
    if not path.is_dir():
        path.mkdir(mode=0o700)
        os.chown(path, *own)
    os.utime(path)
    _forget(root)
    return path


def _forget(root: Path) -> None:
    kept = sorted(root.iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in kept[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
