"""What several examinations read: each thing is asked of the node once a run."""

import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from agent.doctor.containers import Container, Docker, containers, docker
from agent.doctor.node import Node
from agent.drift.manifest import Manifest
from agent.errors import GARBLED, SourceError, StokerError
from agent.paths import Paths
from agent.snapshot import Snapshot
from agent.sources.gpu import NvmlReading

T = TypeVar("T")
ONCE = (sys.executable, "-m", "agent.nvml.once")
MANIFEST = str(Paths().state / "manifest.json")
NVML_SECONDS = 8.0


class More(msgspec.Struct, frozen=True, kw_only=True):
    """What only the doctor asks of a GPU. `ecc`: now, and after the next reset."""

    ecc: tuple[bool, bool] | None = None


class Gpus(msgspec.Struct, frozen=True, kw_only=True):
    """One look of NVML at all GPUs; `more` by their place on the bus."""

    reading: NvmlReading
    more: dict[str, More] = {}


class Seen:
    """The node, and what was asked of it already; examinations run in threads."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._kept: dict[str, Any] = {}

    def nvml(self) -> Gpus:
        """Return what NVML tells, its error too; `SourceError` when the driver does not return."""
        return self._once("nvml", self._nvml)

    def gpus(self) -> Gpus:
        """Return what NVML tells of the GPUs; `SourceError` when it tells nothing."""
        found = self.nvml()
        if found.reading.error is not None:
            raise SourceError(f"NVML: {found.reading.error_text}")
        return found

    def containers(self) -> tuple[Container, ...]:
        """Return the running containers; none where there is no Docker."""
        return self._once("containers", lambda: containers(self.node))

    def docker(self) -> Docker | None:
        """Return how Docker is set up; None where there is none."""
        return self._once("docker", lambda: docker(self.node))

    def manifest(self) -> Manifest | None:
        """Return what the last deploy manages; None when none came to its end."""
        return self._once("manifest", self._manifest)

    def agent(self) -> Snapshot:
        """Return what the agent published last."""
        return self._once("agent", self.node.agent)

    def is_container(self) -> bool:
        """Say whether the node is a container: then its kernel and clock are another's."""
        return self._once("container", self._is_container)

    def _nvml(self) -> Gpus:
        ran = self.node.run(*ONCE, seconds=NVML_SECONDS)
        if ran is None or ran.code:
            last = ran.err.strip().splitlines()[-1:] if ran else []
            raise SourceError(f"the program that asks NVML failed: {' '.join(last)}")
        try:
            return msgspec.json.decode(ran.out, type=Gpus, strict=False)
        except GARBLED as error:
            raise SourceError(f"what NVML tells is not understood: {error}") from error

    def _manifest(self) -> Manifest | None:
        text = self.node.text(MANIFEST)
        try:
            return None if text is None else msgspec.json.decode(text, type=Manifest)
        except GARBLED as error:
            raise SourceError(f"{MANIFEST}: {error}") from error

    def _is_container(self) -> bool:
        ran = self.node.run("systemd-detect-virt", "--container")
        return ran is not None and ran.code == 0 and ran.out.strip() not in {"", "none"}

    def _once(self, key: str, ask: Callable[[], T]) -> T:
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._kept:
                try:
                    self._kept[key] = ask()
                except StokerError as error:
                    self._kept[key] = error
            kept = self._kept[key]
        if isinstance(kept, StokerError):
            raise kept
        return kept  # type: ignore[no-any-return]
