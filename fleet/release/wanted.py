"""Which release a host should have: its digest, and what goes into it."""

import getpass
import hashlib
import io
import platform
import subprocess
import tarfile
import time
from functools import cache

import msgspec

from agent.releases import About
from agent.spec import HostSpec
from fleet import program
from fleet.release import given, tree
from fleet.render import ROOT


def digest(spec: HostSpec, python: str) -> str:
    """Return ten hex digits that change with anything that the host is made from."""
    mixed = hashlib.sha256(f"{tree.digest()} {program.stamp(python)}\n".encode())
    mixed.update(spec.dump())
    for path in given.paths(spec):
        mixed.update(f"{path}\0".encode() + given.place(path).read_bytes() + b"\0")
    return mixed.hexdigest()[:10]


def about(spec: HostSpec, python: str, now: float) -> About:
    """Describe the release that this run leaves."""
    made = digest(spec, python)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    engines = spec.engines.values()
    return About(
        id=f"{stamp}-{made}",
        digest=made,
        at=round(now),
        by=f"{getpass.getuser()}@{platform.node()}",
        source=_source(),
        program=program.stamp(python),
        images=tuple(sorted({engine.image for engine in engines})),
        models=tuple(sorted({f"{r}@{c}" for engine in engines for r, c in engine.repositories})),
        driver=spec.driver.version or spec.driver.branch,
    )


def secret_part(spec: HostSpec, made: About) -> bytes:
    """Return everything but the tree as a tar archive. It holds secrets: never on a disk here."""
    contents = {
        "about.json": msgspec.json.encode(made) + b"\n",
        "host.json": spec.dump(),
        **{f"files/{given.name(p)}": given.place(p).read_bytes() for p in given.paths(spec)},
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600 if "/" in name else 0o644
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@cache
def _source() -> str:
    """Return the commit of the tree, with a mark when it was changed since; empty without git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
