"""A dockerd in memory, an inbox with its own clock, and a script of what happens when."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agent.runner.course import Asked, Ended
from agent.runner.dockerd import DockerLostError, DockerRefusedError, State

RUNNING = State(running=True)


class FakeDockerd:
    """Holds at most one container of the engine under test.

    `trouble` maps a method's name to errors, raised by its next calls in turn.
    `states` are the answers to `state`, of which the last stays. `logs` are the rounds of the log:
    each call of `lines` gives one, and an exception in it breaks the stream.
    """

    def __init__(self) -> None:
        self.images: set[str] = set()
        self.held: dict[str, tuple[str, ...]] = {}
        self.old: set[str] = set()
        self.pids: frozenset[int] = frozenset()
        self.created: Mapping[str, Any] | None = None
        self.trouble: dict[str, list[Exception]] = {}
        self.states: list[State | None] = [RUNNING]
        self.logs: list[list[tuple[str, str] | Exception]] = []
        self.calls: list[str] = []
        self.on_signal: Callable[[str], None] = lambda _: None

    def _call(self, name: str, detail: str = "") -> None:
        self.calls.append(f"{name} {detail}".strip())
        if self.trouble.get(name):
            raise self.trouble[name].pop(0)

    def holdings(self) -> dict[str, tuple[str, ...]]:
        self._call("holdings")
        return dict(self.held)

    def processes(self, name: str) -> frozenset[int]:
        self._call("processes", name)
        return self.pids if name in self.old else frozenset()

    def remove(self, name: str) -> bool:
        self._call("remove", name)
        there = name in self.old
        self.old.discard(name)
        return there

    def has_image(self, image: str) -> bool:
        self._call("has_image")
        return image in self.images

    def pull(self, image: str) -> Iterator[str]:
        self._call("pull", image)
        for layer in ("one", "two"):
            yield f"layer {layer}"
        self.images.add(image)

    def ensure_network(self, settings: Mapping[str, Any]) -> None:
        self._call("ensure_network", settings["name"])

    def create(self, settings: Mapping[str, Any]) -> str:
        self._call("create")
        self.created = settings
        self.old.add(settings["name"])
        return "c0ffee"

    def start(self, container: str) -> None:
        self._call("start", container)

    def state(self, container: str) -> State | None:
        self._call("state", container)
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def main_process(self, container: str) -> int | None:
        self._call("main_process", container)
        return 4711

    def wait(self, container: str) -> None:
        self._call("wait", container)

    def lines(self, container: str, since: str) -> Iterator[tuple[str, str]]:
        self._call("lines", f"{container} {since}")
        for item in self.logs.pop(0) if self.logs else ():
            if isinstance(item, Exception):
                raise item
            yield item

    def signal(self, container: str, signal: str) -> None:
        self._call("signal", f"{container} {signal}")
        self.on_signal(signal)


class FakeInbox:
    """Events in a fixed order; where there is none, time passes as asked for."""

    def __init__(self, *events: Asked | Ended) -> None:
        self.events = list(events)
        self.time = 1000.0
        self.asked = False
        self.on_rest: Callable[[], None] = lambda: None

    def now(self) -> float:
        return self.time

    def rest(self, seconds: float) -> None:
        self.time += seconds
        self.on_rest()

    def next(self, timeout: float | None) -> Asked | Ended | None:
        if self.events:
            return self.events.pop(0)
        assert timeout is not None, "the runner would wait for ever"
        self.time += timeout
        return None


def lost() -> DockerLostError:
    return DockerLostError("Docker does not answer: connection refused")


def refused(text: str) -> DockerRefusedError:
    return DockerRefusedError(text)
