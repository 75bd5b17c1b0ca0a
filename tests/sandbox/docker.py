"""A thin typed edge to the Docker command line of the machine underneath."""

import json
from collections.abc import Sequence
from typing import Any

from tests.sandbox.shell import Completed, run

FLEET_LABEL = "stoker.fleet"
CONFIG_LABEL = "stoker.config"
DIRECTORY_LABEL = "stoker.directory"


def docker(
    *argv: str, deadline: float = 60, stdin: bytes | None = None, check: bool = True
) -> Completed:
    """Run `docker argv`."""
    return run(["docker", *argv], deadline=deadline, stdin=stdin, check=check)


def answers() -> bool:
    """Tell whether a Docker engine answers."""
    return docker("info", "--format", "{{.ServerVersion}}", deadline=20, check=False).code == 0


def cgroup_version() -> int:
    """Version of the control groups that the engine uses: 1 or 2."""
    return int(docker("info", "--format", "{{.CgroupVersion}}").out)


def image_id(reference: str) -> str | None:
    """Id of a local image, or None where there is none."""
    found = docker("image", "inspect", "--format", "{{.Id}}", reference, check=False)
    return found.out.strip() if found.code == 0 else None


def inspect(container: str) -> dict[str, Any] | None:
    """What Docker knows of a container, or None where there is none."""
    found = docker("container", "inspect", container, check=False)
    if found.code != 0:
        return None
    (value,) = json.loads(found.out)
    return dict(value)


def execute(
    container: str,
    argv: Sequence[str],
    *,
    deadline: float = 60,
    stdin: bytes | None = None,
    check: bool = True,
) -> Completed:
    """Run a command as root in a running container."""
    keep_open = ["-i"] if stdin is not None else []
    return docker("exec", *keep_open, container, *argv, deadline=deadline, stdin=stdin, check=check)


def labelled(kind: str, fleet: str) -> list[str]:
    """Names of the containers, volumes or networks (`kind`) of a fleet."""
    listing = {
        "container": ("ps", "--all", "--format", "{{.Names}}"),
        "volume": ("volume", "ls", "--format", "{{.Name}}"),
        "network": ("network", "ls", "--format", "{{.Name}}"),
    }[kind]
    return docker(*listing, "--filter", f"label={FLEET_LABEL}={fleet}").out.split()


def remove(kind: str, names: Sequence[str]) -> None:
    """Remove containers (running or not), volumes or networks (`kind`)."""
    if names:
        flags = ("--force", "--volumes") if kind == "container" else ()
        docker(kind, "rm", *flags, *names, deadline=120)
