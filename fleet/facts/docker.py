"""Whose Docker a host has, and what runs in it: a part of the one look at a bare host."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

# What distributions have in the place of Docker's own packages; the two cannot be mixed.
# https://docs.docker.com/engine/install/debian/#uninstall-old-versions
OLD_PACKAGES = (
    "docker.io",
    "docker-doc",
    "docker-compose",
    "docker-compose-v2",
    "podman-docker",
    "containerd",
    "runc",
)

LOOK = (
    r"""
dpkg-query -W -f '${db:Status-Status} ${Package}\n' docker-ce """
    + " ".join(OLD_PACKAGES)
    + r""" 2>/dev/null | sed -n 's/^installed /docker_package=/p'
said() { timeout -k 1 20 docker "$@" 2>/dev/null; }
said info -f '{{.ServerVersion}} {{.LiveRestoreEnabled}} {{.Swarm.LocalNodeState}} '\
'{{.DefaultRuntime}} {{.DockerRootDir}}' | sed -n 's/^[0-9]/dockerd=&/p'
said ps --format '{{.Names}} {{.Image}} {{.Label "stoker.engine"}}' | sed 's/^/in_docker=/'
"""
)


class Runs(Struct, frozen=True):
    """A container that runs and is none of our engines."""

    name: str
    image: str


class Docker(Struct, frozen=True, kw_only=True):
    """Docker as it is found. `answers`: dockerd does; what follows it is known only then.

    `ours`: Docker's own packages; `old`: those of a distribution, to be replaced.
    """

    ours: bool = False
    old: tuple[str, ...] = ()
    answers: bool = False
    live_restore: bool = False
    swarm: bool = False
    default_runtime: str = ""
    root: str = ""
    containers: tuple[Runs, ...] = ()


def read_docker(found: Mapping[str, Sequence[str]]) -> Docker:
    """Make the value of what `LOOK` printed, by key."""
    packages = found.get("docker_package", ())
    _, live, swarm, runtime, root = (*found.get("dockerd", [""])[0].split(" ", 4), *[""] * 5)[:5]
    rows = [row.split(" ") for row in found.get("in_docker", ())]
    return Docker(
        ours="docker-ce" in packages,
        old=tuple(name for name in packages if name in OLD_PACKAGES),
        answers="dockerd" in found,
        live_restore=live == "true",
        swarm=swarm not in {"", "inactive"},
        default_runtime=runtime,
        root=root,
        containers=tuple(Runs(name, image) for name, image, engine in rows if not engine),
    )
