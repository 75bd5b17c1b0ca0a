"""Running containers: secrets in their environment, and GPUs that a daemon-reload takes away."""

from collections.abc import Iterator

import msgspec

from agent.doctor.containers import Container
from agent.doctor.finding import Finding, fault, warning
from agent.doctor.seen import Seen
from agent.spec import HostSpec


class ContainerSecrets:
    """Does the environment of a container hold secrets? `docker inspect` shows it."""

    name = "container_secrets"

    def read(self, seen: Seen, _spec: HostSpec | None) -> tuple[Container, ...]:
        """Take the running containers; of variables the names alone are kept."""
        return seen.containers()

    def judge(
        self,
        reading: tuple[Container, ...],
        _spec: HostSpec | None,
        _now: float,
    ) -> Iterator[Finding]:
        """Name the variables, never their values."""
        for one in reading:
            if one.secrets:
                yield warning(
                    f"container {one.name} has {', '.join(one.secrets)} in its environment, which "
                    "docker inspect shows",
                    "hand it over as a file (-v FILE:/run/secrets/…:ro), and replace the secret",
                )


class Injection(msgspec.Struct, frozen=True, kw_only=True):
    """How GPUs get into containers."""

    containers: tuple[Container, ...] = ()
    default_runtime: str = "runc"


class LegacyInjection:
    """Do containers get GPUs in the old way? Any `systemctl daemon-reload` takes them away."""

    name = "legacy_injection"

    def read(self, seen: Seen, _spec: HostSpec | None) -> Injection:
        """Look at containers, and at Docker's default."""
        docker = seen.docker()
        if docker is None:
            return Injection()
        return Injection(containers=seen.containers(), default_runtime=docker.default_runtime)

    def judge(self, reading: Injection, _spec: HostSpec | None, _now: float) -> Iterator[Finding]:
        """CDI survives a reload (NVIDIA/nvidia-container-toolkit#48)."""
        for one in reading.containers:
            if one.legacy:
                yield fault(
                    f"container {one.name} got its GPUs by {one.legacy}: it loses them at the next "
                    "systemctl daemon-reload",
                    "start it with --device nvidia.com/gpu=all (CDI) instead; or let a deploy take "
                    f"its place: runtime_take_over = ({one.name!r},)",
                )
        if reading.default_runtime != "runc":
            yield warning(
                f"Docker's default runtime is {reading.default_runtime}: every container goes "
                "through it",
                'take "default-runtime" out of /etc/docker/daemon.json, and restart docker',
            )
