"""Builds the images of the sandbox, once for each recipe."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.sandbox import docker, outer, tools
from tests.sandbox.archive import pack
from tests.sandbox.progress import step
from tests.sandbox.recipes import Base, Derived
from tests.sandbox.shell import run

BUILD_DEADLINE = 900.0
DPKG_SETTINGS = "force-unsafe-io\npath-exclude=/usr/share/man/*\npath-exclude=/usr/share/locale/*\n"


def ensure(recipe: Base | Derived) -> str:
    """Give the reference of the image of `recipe`, building it and its parents if need be."""
    with _alone(recipe.reference):
        return _ensure(recipe)


@contextmanager
def _alone(reference: str) -> Iterator[None]:
    """Let one thread of one process of this machine build an image; the others wait for it."""
    name = f"stoker-build-{reference.replace('/', '-').replace(':', '-')}.lock"
    with (Path(tempfile.gettempdir()) / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _ensure(recipe: Base | Derived) -> str:
    if docker.image_id(recipe.reference) is None:
        if isinstance(recipe, Base):
            _bootstrap(recipe)
        else:
            ensure(recipe.parent)
            _derive(recipe)
    return recipe.reference


def _bootstrap(recipe: Base) -> None:
    tools.ensure("debootstrap")
    mirror = [value] if (value := os.environ.get("STOKER_SANDBOX_MIRROR")) else []
    with (
        step(f"building {recipe.reference} with debootstrap (about a minute)"),
        tempfile.TemporaryDirectory(prefix="stoker-rootfs-") as scratch,
    ):
        root = Path(scratch) / "root"
        (root / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True)
        (root / "etc/dpkg/dpkg.cfg.d/sandbox").write_text(DPKG_SETTINGS)
        include = f"--include={recipe.include}"
        run(
            ["debootstrap", "--variant=minbase", include, recipe.release, str(root), *mirror],
            deadline=BUILD_DEADLINE,
        )
        for archive in (root / "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()
        tarball = Path(scratch) / "root.tar"
        run(["tar", "-C", str(root), "-cf", str(tarball), "."], deadline=BUILD_DEADLINE)
        docker.docker("import", str(tarball), recipe.reference, deadline=BUILD_DEADLINE)


def _derive(recipe: Derived) -> None:
    settings = [f"{key}={value}" for key, value in recipe.environment.items()]
    flags = [part for name in (*settings, *outer.proxies()) for part in ("--env", name)]
    with step(f"building {recipe.reference}"):
        created = docker.docker("create", recipe.parent.reference, "sleep", "infinity")
        container = created.out.strip()
        lent = outer.settings()
        try:
            docker.docker("cp", "-", f"{container}:/", stdin=pack(lent))
            docker.docker("start", container)
            build = ("exec", *flags, container, "/bin/sh", "-c", recipe.script)
            docker.docker(*build, deadline=BUILD_DEADLINE)
            docker.execute(container, ["rm", "-f", *lent])
            docker.docker("commit", container, recipe.reference, deadline=BUILD_DEADLINE)
        finally:
            docker.remove("container", [container])
