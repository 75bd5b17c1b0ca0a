"""Specs and a stand-in host to test with."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pyinfra.api import FactBase, StringCommand
from pyinfra.context import ctx_host

from agent.spec import HostSpec

IMAGE = "example/engine@sha256:" + "a" * 64
ENGINE: dict[str, Any] = {
    "engine_image": IMAGE,
    "engine_model": "org/model",
    "engine_revision": "c" * 40,
}


def spec(**data: Any) -> HostSpec:
    """Make the spec of a host called gpu-1 from flat keys, an engine already given."""
    return HostSpec.from_data("gpu-1", {**ENGINE, **data})


class FakeState:
    """As much of pyinfra's state as an operation looks at."""

    def __init__(self) -> None:
        self.is_executing = True
        self.failed_hosts: set[Any] = set()
        self.activated_hosts: set[Any] = set()


class FakeHost:
    """A host whose facts are given; remembers why an operation had nothing to do."""

    def __init__(self, facts: Mapping[type[FactBase[Any]], Any], name: str = "gpu-1") -> None:
        self.name, self.facts, self.noops = name, facts, list[str]()
        self.state = FakeState()
        self.inventory = self

    def get_host(self, name: str) -> "FakeHost":
        assert name == self.name
        return self

    def get_fact(self, fact: type[FactBase[Any]], **arguments: object) -> Any:
        answer = self.facts[fact]
        return answer(**arguments) if callable(answer) else answer

    def noop(self, text: str) -> None:
        self.noops.append(text)


@contextmanager
def on(host: FakeHost) -> Iterator[FakeHost]:
    """Make `host` the one that operations and facts are about."""
    with ctx_host.use(host):
        yield host


def commands(
    host: FakeHost, generate: Callable[[], Generator[StringCommand]]
) -> list[StringCommand]:
    """Return the commands that an operation would run on `host`."""
    with on(host):
        return list(generate())
