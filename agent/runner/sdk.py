"""`Dockerd` through the Docker SDK."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError, ImageNotFound, NotFound
from docker.models.containers import Container

from agent.runner.dockerd import DockerLostError, DockerRefusedError, State
from agent.runner.rendering import ENGINE_LABEL, GPUS_LABEL

ANSWER = 60  # seconds for an answer of dockerd; removing a container takes longest
ROUND = 300  # seconds that one wait may last


class DockerSdk:
    """The real dockerd. The client is made at first use: dockerd may start after us."""

    def __init__(self, connect: Callable[[], docker.DockerClient] | None = None) -> None:
        self._connect = connect or (lambda: docker.from_env(timeout=ANSWER))
        self._client: docker.DockerClient | None = None

    def holdings(self) -> dict[str, tuple[str, ...]]:
        """See `Dockerd`."""
        with self._errors() as client:
            found = client.containers.list(filters={"label": [ENGINE_LABEL]}, ignore_removed=True)
            return {
                container.labels[ENGINE_LABEL]: tuple(
                    uuid for uuid in container.labels.get(GPUS_LABEL, "").split(",") if uuid
                )
                for container in found
            }

    def processes(self, name: str) -> frozenset[int]:
        """See `Dockerd`."""
        with self._errors() as client:
            try:
                table = client.containers.get(name).top(ps_args="-eo pid")
            except (NotFound, APIError):  # APIError: it does not run
                return frozenset()
            return frozenset(int(row[0]) for row in table["Processes"] or ())

    def remove(self, name: str) -> bool:
        """See `Dockerd`."""
        with self._errors() as client:
            try:
                client.containers.get(name).remove(force=True, v=True)
            except NotFound:
                return False
            return True

    def has_image(self, image: str) -> bool:
        """See `Dockerd`."""
        with self._errors() as client:
            try:
                client.images.get(image)
            except ImageNotFound:
                return False
            return True

    def pull(self, image: str) -> Iterator[str]:
        """See `Dockerd`."""
        name, _, digest = image.partition("@")
        with self._errors() as client:
            for event in client.api.pull(name, tag=digest, stream=True, decode=True):
                if "error" in event:
                    raise DockerRefusedError(str(event["error"]))
                parts = (event.get("id"), event.get("status"), event.get("progress"))
                yield " ".join(str(part) for part in parts if part)

    def ensure_network(self, settings: Mapping[str, Any]) -> None:
        """See `Dockerd`."""
        with self._errors() as client:
            name = settings["name"]
            if any(network.name == name for network in client.networks.list(names=[name])):
                return
            client.networks.create(**settings)

    def create(self, settings: Mapping[str, Any]) -> str:
        """See `Dockerd`."""
        with self._errors() as client:
            return str(client.containers.create(**settings).id)

    def start(self, container: str) -> None:
        """See `Dockerd`."""
        with self._errors() as client:
            client.api.start(container)

    def state(self, container: str) -> State | None:
        """See `Dockerd`."""
        with self._errors() as client:
            try:
                seen = client.api.inspect_container(container)["State"]
            except NotFound:
                return None
            return State(
                running=bool(seen["Running"]),
                code=int(seen["ExitCode"]),
                oom=bool(seen["OOMKilled"]),
            )

    def main_process(self, container: str) -> int | None:
        """See `Dockerd`."""
        with self._errors() as client:
            return int(client.api.inspect_container(container)["State"]["Pid"]) or None

    def wait(self, container: str) -> None:
        """See `Dockerd`."""
        with self._errors() as client:
            try:
                client.api.wait(container, timeout=ROUND)
            except (NotFound, requests.exceptions.ReadTimeout):
                return

    def lines(self, container: str, since: str) -> Iterator[tuple[str, str]]:
        """See `Dockerd`."""
        with self._errors() as client:
            found: Container = client.containers.get(container)
            chunks = found.logs(stream=True, follow=True, timestamps=True, since=_since(since))
            for raw in _split(chunks):
                stamp, _, line = raw.decode(errors="replace").partition(" ")
                yield stamp, line.rstrip("\r")

    def signal(self, container: str, signal: str) -> None:
        """See `Dockerd`."""
        with self._errors() as client:
            client.api.kill(container, signal)

    @contextmanager
    def _errors(self) -> Iterator[docker.DockerClient]:
        """Yield the client; turn what the SDK raises into our two errors."""
        try:
            if self._client is None:
                self._client = self._connect()
            yield self._client
        except APIError as error:
            raise DockerRefusedError(str(error.explanation or error)) from error
        except docker.errors.DockerException as error:  # from_env: dockerd does not answer
            raise DockerLostError(f"Docker does not answer: {error}") from error
        except (
            requests.exceptions.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            raise DockerLostError(f"Docker does not answer: {error}") from error


def _since(stamp: str) -> float | None:
    """Turn `2026-11-24T20:00:00.123456789Z` into seconds since 1970, rounded down."""
    if not stamp:
        return None
    return datetime.fromisoformat(stamp[:19]).replace(tzinfo=UTC).timestamp()


def _split(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Put the chunks of a stream together to lines."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest
