"""The program for a node, the agent's and the deploy's: one tar a kind of node, made here.

The node needs no package index: the tar holds the wheel, the locked dependencies for the node's
Python, and the lock with their hashes. Everything is kept under `.stoker/`, by digest.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from threading import Lock

from fleet.render import ROOT

LOCK = ROOT / "requirements" / "node.lock"
CACHE = ROOT / ".stoker"
# glibc up to 2.36, the oldest that we deploy to (Debian 12).
PLATFORMS = ("2_34", "2_31", "2_28", "2_27", "2_24", "2_17", "2_12", "2_5")
KEEP = 6  # tars; each is about 11 MB

_lock = Lock()


class ProgramError(Exception):
    """The program could not be put together; the text holds pip's last words."""


@cache  # as the digest of the tree: made once a run
def stamp(python: str) -> str:
    """Return 16 hex digits that change with the program, its dependencies, or the node's Python."""
    mixed = hashlib.sha256(python.encode())
    for path in _sources():
        mixed.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return mixed.hexdigest()[:16]


def bundle(python: str) -> Path:
    """Return the tar for nodes with Python `python` (such as `3.13`); make it at first use."""
    made = CACHE / f"program-{stamp(python)}.tar"
    with _lock:
        if not made.exists():
            wheels = _dependencies(python)
            with TemporaryDirectory() as directory:
                wheel = _wheel(Path(directory))
                new = Path(mkdtemp(dir=CACHE)) / made.name  # two runs must not meet in it
                with tarfile.open(new, "w") as tar:
                    tar.add(LOCK, "node.lock")
                    tar.add(wheel, wheel.name)
                    for path in sorted(wheels.glob("*.whl")):
                        tar.add(path, f"wheels/{path.name}")
                new.replace(made)
                new.parent.rmdir()
            _forget_old()
    return made


def _forget_old() -> None:
    kept = sorted(CACHE.glob("program-*.tar"), key=lambda path: path.stat().st_mtime)[-KEEP:]
    for path in set(CACHE.glob("program-*.tar")) - set(kept):
        path.unlink(missing_ok=True)


def _sources() -> Iterator[Path]:
    yield LOCK
    yield ROOT / "pyproject.toml"
    yield from sorted(p for p in (ROOT / "agent").rglob("*") if p.suffix not in {"", ".pyc"})


def _wheel(directory: Path) -> Path:
    _run("-m", "hatchling", "build", "-t", "wheel", "-d", str(directory))
    return next(directory.glob("*.whl"))


def _dependencies(python: str) -> Path:
    locked = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    directory = CACHE / "wheels" / f"{locked}-{python}-x86_64"
    if directory.is_dir():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    new = Path(mkdtemp(dir=directory.parent))  # two runs, or two Pythons, must not meet in it
    platforms = [f"--platform=manylinux_{version}_x86_64" for version in PLATFORMS]
    _run(
        "-m", "pip", "download", "-q", "--disable-pip-version-check", "--require-hashes",
        "--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *platforms,
        "--platform=manylinux2014_x86_64", "-r", str(LOCK), "-d", str(new),
    )  # fmt: skip
    try:
        new.rename(directory)
    except OSError:  # another run was faster
        shutil.rmtree(new)
    return directory


def _run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise ProgramError(f"cannot put the agent's program together: {last}")
