"""Hosts that answer as a test wants, and remember what they were asked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from pyinfra.api.inventory import Inventory

from fleet.commands.hosts import Answer, Ask, Connect, Heard, nobody

Reply = Answer | Callable[[Ask], Answer]


class FakeHosts:
    """`Hosts`; `replies` maps each host to its answer, or to what makes one."""

    def __init__(self, replies: Mapping[str, Reply]) -> None:
        self.replies = replies
        self.asked: list[tuple[str, Ask]] = []
        self.held: list[tuple[tuple[str, ...], str]] = []

    def ask(self, asks: Mapping[str, Ask], heard: Heard = nobody) -> dict[str, Answer]:
        return {name: self._one(name, ask, heard) for name, ask in asks.items()}

    def _one(self, name: str, ask: Ask, heard: Heard) -> Answer:
        self.asked.append((name, ask))
        reply = self.replies[name]
        answer = reply if isinstance(reply, Answer) else reply(ask)
        heard(answer)
        return answer

    def follow(self, host: str, ask: Ask, line: Callable[[str], None]) -> Answer:
        answer = self._one(host, ask, nobody)
        for one in answer.out.splitlines():
            line(one)
        return answer

    def hold(self, names: Sequence[str], reason: str) -> str:
        self.held.append((tuple(names), reason))
        return "secret-token"

    @property
    def order(self) -> list[str]:
        return [name for name, _ in self.asked]

    @property
    def connect(self) -> Connect:
        @contextmanager
        def connected(inventory: Inventory, names: Sequence[str]) -> Iterator[FakeHosts]:
            yield self

        return connected


def good(host: str, out: str = "") -> Answer:
    return Answer(host=host, code=0, out=out)


def bad(host: str, code: int, err: str = "", out: str = "") -> Answer:
    return Answer(host=host, code=code, err=err, out=out)


def gone(host: str) -> Answer:
    return Answer(host=host, problem="cannot be reached over SSH: no answer")
