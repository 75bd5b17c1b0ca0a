"""Docker: it answers, is young enough, keeps containers over a restart, runs with its settings."""

import hashlib
import re
from collections.abc import Iterator

import msgspec

from agent.doctor.containers import Docker
from agent.doctor.finding import Finding, fault, warning
from agent.doctor.seen import Seen
from agent.errors import SourceError
from agent.spec import HostSpec

CONF = "/etc/docker/daemon.json"
STAMP = "/run/stoker-docker.sha256"


class DockerReading(msgspec.Struct, frozen=True, kw_only=True):
    """Digests of daemon.json: as deployed, as it lies, as dockerd was started with; None = none."""

    docker: Docker | None = None
    silent: str = ""
    deployed: str | None = None
    lies: str | None = None
    runs: str | None = None


class Dockerd:
    """See the module."""

    name = "docker"

    def read(self, seen: Seen, _spec: HostSpec | None) -> DockerReading:
        """Ask dockerd, and compare its settings."""
        manifest, lies = seen.manifest(), seen.node.text(CONF)
        deployed = manifest.files.get(CONF) if manifest else None
        stamp = seen.node.text(STAMP)
        reading = DockerReading(
            deployed=deployed.sha256 if deployed else None,
            lies=hashlib.sha256(lies.encode()).hexdigest() if lies is not None else None,
            runs=stamp.strip() if stamp else None,
        )
        try:
            return msgspec.structs.replace(reading, docker=seen.docker())
        except SourceError as error:
            return msgspec.structs.replace(reading, silent=str(error))

    def judge(
        self, reading: DockerReading, spec: HostSpec | None, _now: float
    ) -> Iterator[Finding]:
        """Without Docker no engine can be started."""
        docker = reading.docker
        if reading.silent:
            yield fault(reading.silent, "systemctl status docker; journalctl -u docker -n 50")
        elif docker is None:
            if spec is not None and spec.engines:
                yield fault("Docker is not installed", "deploy this host again")
        else:
            yield from _manners(docker, spec)
        yield from _settings(reading)


def _manners(docker: Docker, spec: HostSpec | None) -> Iterator[Finding]:
    if spec is not None and _numbers(docker.version) < _numbers(spec.runtime.docker_minimum):
        yield fault(
            f"Docker is {docker.version}, runtime_docker_minimum is {spec.runtime.docker_minimum}",
            "drained: deploy this host again; a Docker of another source must go first",
        )
    if not docker.live_restore:
        yield warning(
            "live-restore is off: a restart of Docker ends every engine",
            f'set "live-restore": true in {CONF} (a deploy does), then systemctl reload docker',
        )


def _settings(reading: DockerReading) -> Iterator[Finding]:
    if reading.deployed and reading.lies != reading.deployed:
        is_now = "is missing" if reading.lies is None else "is not as it was deployed"
        yield warning(f"{CONF} {is_now}", "deploy this host again")
    elif reading.runs and reading.lies and reading.runs != reading.lies:
        yield warning(
            f"Docker runs with other settings than those in {CONF}",
            "systemctl restart docker (engines live through it, by live-restore)",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
