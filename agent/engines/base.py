"""What Stoker asks of an engine program. An adapter is pure: values in, values out."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from agent.engines.figures import Figures, Work
from agent.pace import Patience
from agent.reports import ExitClass
from agent.spec import EngineSpec


class Mount(msgspec.Struct, frozen=True, kw_only=True):
    """A directory of the host inside the container."""

    source: str
    target: str
    read_only: bool = True


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """The container that serves; `port` is inside, published on the host's loopback only.

    With `init` a small init is process 1: as that, an engine would survive its own SIGKILL, and
    ignore the SIGTERM that reaches it before it has a handler.
    """

    image: str
    command: tuple[str, ...]
    environment: dict[str, str]
    port: int
    published: int
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[str, ...] = ()
    shm_bytes: int = 0
    memory_bytes: int | None = None
    capabilities: tuple[str, ...] = ()  # all others are dropped
    user: str
    directory: str | None = None  # where it starts; None = where the image says
    processes: int
    read_only: bool = True
    init: bool = True


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Requests inside the engine; None = the engine does not tell."""

    running: int | None = None
    waiting: int | None = None

    @property
    def in_flight(self) -> int | None:
        """Requests accepted and not yet answered."""
        if self.running is None or self.waiting is None:
            return None
        return self.running + self.waiting

    def less_one(self) -> "Load":
        """Return the load without one request: of those that wait, if any does."""
        if self.waiting:
            return msgspec.structs.replace(self, waiting=self.waiting - 1)
        return msgspec.structs.replace(self, running=self.running and self.running - 1)


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What the last lines and the exit code of an engine mean."""

    kind: ExitClass
    reason: str  # CamelCase token
    message: str  # a sentence for the operator


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """A chat completion small enough to be a probe: POST `body` to `path`."""

    path: str
    body: dict[str, object]


def one_token(model: str) -> Chat:
    """Return the least chat completion of `model`, as OpenAI's API has it."""
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": "user", "content": "ping"}],
        "max_tokens": 1,
        "stream": False,
    }
    return Chat(path="/v1/chat/completions", body=body)


class Engine(Protocol):
    """One engine program. `tests/agent/engines/test_contract.py` holds every adapter to this."""

    kind: str
    health_path: str
    metrics_path: str

    def faults(self, engine: EngineSpec) -> list[str]:
        """Return one sentence for each setting that this engine cannot honour."""

    def container(self, engine: EngineSpec, weights: str, gpus: Sequence[str]) -> Container:
        """Render the container; `weights` is a directory of the host, `gpus` are UUIDs."""

    def load(self, metrics: str) -> Load:
        """Read the requests inside the engine from its Prometheus exposition."""

    def progress(self, metrics: str) -> float | None:
        """Return a number that no step of work leaves as it was; None = cannot tell."""

    def work(self, metrics: str) -> Work:
        """Read what the engine does now: little, as it is asked every second."""

    def figures(self, metrics: str) -> Figures:
        """Read what the engine has counted, for Prometheus."""

    def at_once(self, engine: EngineSpec) -> int | None:
        """Return how many requests it computes at once at most; None = its own choice."""

    def patience(self, engine: EngineSpec) -> Patience:
        """Say how long it may be silent before it counts as hung; `hang_after` overrides."""

    def classify(self, code: int, lines: Sequence[str]) -> Ending:
        """Say why an engine ended that nobody asked to stop."""

    def stop_deadline(self, engine: EngineSpec) -> float:
        """Seconds from SIGTERM to SIGKILL that let requests in flight finish."""

    def chat(self, engine: EngineSpec) -> Chat:
        """Return the probe that proves the engine answers: a one-token chat completion."""
