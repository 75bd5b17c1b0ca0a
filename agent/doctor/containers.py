"""Docker and its containers, ours and others', as far as examinations ask.

Values of variables are dropped where they are read: they may be secrets.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from agent.doctor.node import Node
from agent.doctor.secrets import hidden
from agent.errors import SourceError

SECONDS = 8.0


class Published(msgspec.Struct, frozen=True):
    """A port of the node that leads into a container."""

    address: str
    port: int


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A running container. `secrets`: names of variables that look like secrets.

    `legacy`: how it got GPUs in a way that a daemon-reload takes away; "" = it did not.
    """

    name: str
    image: str = ""
    secrets: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()
    legacy: str = ""


class Docker(msgspec.Struct, frozen=True, kw_only=True):
    """The running dockerd."""

    version: str
    root: str = "/var/lib/docker"
    live_restore: bool = False
    default_runtime: str = "runc"


def docker(node: Node) -> Docker | None:
    """Ask dockerd; `SourceError` when it does not answer."""
    told = _ask(node, "docker", "info", "--format", "{{json .}}")
    if told is None:
        return None
    info = json.loads(told)
    if not info.get("ServerVersion"):
        raise SourceError(f"Docker does not answer: {' '.join(info.get('ServerErrors') or [])}")
    return Docker(
        version=info["ServerVersion"],
        root=info.get("DockerRootDir", "/var/lib/docker"),
        live_restore=bool(info.get("LiveRestoreEnabled")),
        default_runtime=info.get("DefaultRuntime", "runc"),
    )


def containers(node: Node) -> tuple[Container, ...]:
    """Ask dockerd for the containers that run."""
    told = _ask(node, "docker", "ps", "-q", "--no-trunc")
    if not told:
        return ()
    inspected = _ask(node, "docker", "inspect", *told.split(), gone=True)
    return tuple(map(container, json.loads(inspected or "[]")))


def container(shown: Mapping[str, Any]) -> Container:
    """Read what `docker inspect` shows of one container."""
    settings, config = shown.get("HostConfig") or {}, shown.get("Config") or {}
    pairs = (line.partition("=") for line in config.get("Env") or ())
    return Container(
        name=str(shown.get("Name", "")).lstrip("/"),
        image=str(config.get("Image", "")),
        secrets=tuple(name for name, _, value in pairs if hidden(name, value)),
        published=tuple(dict.fromkeys(_published(shown))),
        legacy=_legacy(settings),
    )


def _published(shown: Mapping[str, Any]) -> Iterator[Published]:
    ports = (shown.get("NetworkSettings") or {}).get("Ports") or {}
    for bindings in ports.values():
        for one in bindings or ():
            yield Published(one.get("HostIp", ""), int(one["HostPort"]))


def _legacy(settings: Mapping[str, Any]) -> str:
    """Of CDI devices Docker says that their driver is `cdi`."""
    for request in settings.get("DeviceRequests") or ():
        kinds = {kind for kinds in request.get("Capabilities") or () for kind in kinds}
        if request.get("Driver") != "cdi" and (kinds & {"gpu"} or request.get("Driver")):
            return "--gpus"
    return "--runtime nvidia" if settings.get("Runtime") == "nvidia" else ""


def _ask(node: Node, *command: str, gone: bool = False) -> str | None:
    """Return what docker prints; `gone`: a container may have ended since it was listed."""
    ran = node.run(*command, seconds=SECONDS)
    if ran is None:
        return None
    if ran.code and not (gone and ran.out.strip()):
        raise SourceError(f"Docker does not answer: {ran.err.strip()[:200]}")
    return ran.out
