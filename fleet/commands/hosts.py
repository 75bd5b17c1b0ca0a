"""What a command needs of hosts: to ask each of them one thing, all at the same time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct
from pyinfra.api.inventory import Inventory


class Ask(Struct, frozen=True, kw_only=True):
    """One shell command, as root. `deadline` seconds; nobody there can see what `stdin` holds."""

    command: str
    stdin: str = ""
    deadline: float = 20.0


class Answer(Struct, frozen=True, kw_only=True):
    """What became of it. `code` None = there is none, and `problem` says why in a sentence."""

    host: str
    code: int | None = None
    out: str = ""
    err: str = ""
    problem: str = ""

    @property
    def good(self) -> bool:
        """Whether the command ended with 0."""
        return self.code == 0

    @property
    def last(self) -> str:
        """The last thing that was said, for want of a better explanation."""
        lines = [line for line in f"{self.out}\n{self.err}".splitlines() if line.strip()]
        return self.problem or (lines[-1].strip() if lines else "it says nothing")


Heard = Callable[[Answer], None]


def nobody(answer: Answer) -> None:
    """Listen to no answer before all are there."""


class Hosts(Protocol):
    """Hosts that can be asked. `tests/fleet/commands/` has the fake."""

    def ask(self, asks: Mapping[str, Ask], heard: Heard = nobody) -> dict[str, Answer]:
        """Ask each host its own thing at once; `heard` is told each answer as it comes."""

    def follow(self, host: str, ask: Ask, line: Callable[[str], None]) -> Answer:
        """Hand out each line that the command prints as it comes; it may go on for ever."""

    def hold(self, names: Sequence[str], reason: str) -> str:
        """Lock these hosts and the inventory until the end; return the token of the lock.

        Raises `StokerError` with who has one of them; then none is locked.
        """


# Makes `Hosts` of those with these names; the connections end with the context.
Connect = Callable[[Inventory, Sequence[str]], AbstractContextManager[Hosts]]


def everywhere(names: Sequence[str], ask: Ask) -> dict[str, Ask]:
    """Ask the same thing of each."""
    return dict.fromkeys(names, ask)


def unanswered(answers: Mapping[str, Answer]) -> Iterator[tuple[str, str]]:
    """Yield each host that gave no answer, and why."""
    yield from ((name, one.problem) for name, one in answers.items() if one.code is None)
