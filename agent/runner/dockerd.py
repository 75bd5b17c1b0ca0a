"""What the runner needs of Docker, and the two ways in which it fails."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec

from agent.errors import ActionError


class DockerLostError(ActionError):
    """dockerd did not answer (it restarts, or hangs): says nothing about any container."""


class DockerRefusedError(ActionError):
    """dockerd answered with an error."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A container at one moment. `code` and `oom` (host memory) tell only when it does not run."""

    running: bool
    code: int = 0
    oom: bool = False


class Dockerd(Protocol):
    """Every method may raise one of the two errors. The fake: `tests/agent/docker_fake.py`."""

    def holdings(self) -> dict[str, tuple[str, ...]]:
        """Return the GPUs (UUIDs) of every running engine, by engine name."""

    def processes(self, name: str) -> frozenset[int]:
        """Return the process ids (of the host) in container `name`; none when it does not run."""

    def remove(self, name: str) -> bool:
        """Kill and remove container `name`; return False when there was none."""

    def has_image(self, image: str) -> bool:
        """Say whether the pinned image is here."""

    def pull(self, image: str) -> Iterator[str]:
        """Pull the pinned image; yield a progress line for each of Docker's events."""

    def ensure_network(self, settings: Mapping[str, Any]) -> None:
        """Create a network from the SDK's arguments, unless there is one of that name."""

    def create(self, settings: Mapping[str, Any]) -> str:
        """Create a container from the SDK's arguments; return its id."""

    def start(self, container: str) -> None:
        """Start the container."""

    def state(self, container: str) -> State | None:
        """Return the state of the container; None when there is no such container."""

    def main_process(self, container: str) -> int | None:
        """Return the id (of the host) of the container's first process; None when it has ended."""

    def wait(self, container: str) -> None:
        """Block until the container does not run, or for a while: look at `state` afterwards."""

    def lines(self, container: str, since: str) -> Iterator[tuple[str, str]]:
        """Follow the log from the instant `since` ("" = all): timestamp and line, until it ends."""

    def signal(self, container: str, signal: str) -> None:
        """Send a signal to the container's main process."""
