"""Whether Docker can be changed under what runs in it. Pure: spec and findings to sentences."""

from collections.abc import Iterator

from agent.spec import HostSpec
from fleet.facts.bare import Bare

ROOT = "/var/lib/docker"  # where Docker keeps its data unless told otherwise


def root(spec: HostSpec) -> str:
    """Return where Docker keeps its data, as far as the spec says."""
    return str(spec.runtime.daemon.get("data-root") or ROOT)


def too_old(spec: HostSpec, found: Bare) -> bool:
    """Say whether the host has a Docker that is older than the spec wants."""
    least = tuple(int(part) for part in spec.runtime.docker_minimum.split("."))
    return bool(found.docker) and found.docker < least


def problems(spec: HostSpec, found: Bare) -> Iterator[str]:
    """Yield one sentence for each thing of Docker's that is in the way."""
    docker = found.dockerd
    version = ".".join(map(str, found.docker))
    if too_old(spec, found) and not (docker.ours or docker.old):
        yield (
            f"has Docker {version}, older than runtime_docker_minimum = "
            f"{spec.runtime.docker_minimum}, and no package that could be upgraded: remove that "
            "Docker first, or lower the key"
        )
    elif docker.old or too_old(spec, found):
        yield from _replaced(spec, found, version)
    if docker.swarm:
        yield (
            "is a member of a Docker swarm, in which engines would end with every restart of "
            "Docker (live-restore cannot be had there): docker swarm leave, or use another host"
        )
    yield from _moved(spec, found)


def _replaced(spec: HostSpec, found: Bare, version: str) -> Iterator[str]:
    """Docker vouches for containers over patch releases alone, so none may run over this.

    https://docs.docker.com/engine/daemon/live-restore/
    """
    stay = [one for one in found.dockerd.containers if one.name not in spec.runtime.take_over]
    if not stay:
        return
    packages = f" (packages {', '.join(found.dockerd.old)})" if found.dockerd.old else ""
    names = ", ".join(f"{one.name} ({one.image})" for one in stay)
    yield (
        f"has Docker {version}{packages}, which is to be replaced; that would end containers that "
        f"run: {names}; stop them (docker stop), or name in runtime_take_over those whose place "
        "an engine takes"
    )


def _moved(spec: HostSpec, found: Bare) -> Iterator[str]:
    there, wanted = found.dockerd.root, spec.runtime.daemon.get("data-root")
    running = [*(one.name for one in found.dockerd.containers), *found.engines]
    if there and wanted and there != wanted and running:
        yield (
            f"Docker's data lies in {there}, but runtime_daemon's data-root is {wanted}: Docker "
            f"would lose sight of what runs there ({', '.join(running)}); stop it first"
        )
