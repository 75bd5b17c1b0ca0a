"""What became of asking several hosts for something, as a document and as text. Pure."""

from collections.abc import Sequence

from msgspec import Struct

from fleet.commands.hosts import Answer
from fleet.commands.shown import listed, wrapped


class HostOutcome(Struct, frozen=True, kw_only=True):
    """One host: its exit code (None = it could not be asked), and what it said."""

    host: str
    code: int | None
    said: tuple[str, ...]


class Outcome(Struct, frozen=True, kw_only=True):
    """What `--json` prints. `untouched` hosts were never asked: the run had stopped before."""

    inventory: str
    asked: str
    hosts: tuple[HostOutcome, ...]
    untouched: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """Exit code: 3 a host not reached, or a wait that ended; 1 one refused; 0 all done."""
        codes = {one.code for one in self.hosts} - {0}
        return 0 if not codes else 3 if codes & {None, 3} else 1


def host_outcome(answer: Answer) -> HostOutcome:
    """Make one of an answer."""
    said = (answer.problem,) if answer.problem else tuple(_lines(answer))
    return HostOutcome(host=answer.host, code=answer.code, said=said)


def _lines(answer: Answer) -> list[str]:
    """What it said in the end; of a failure, also the course that led there."""
    text = answer.out if answer.good else f"{answer.err}\n{answer.out}"
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def told(one: HostOutcome) -> list[str]:
    """Return the lines about one host."""
    mark = "" if one.code == 0 else "! "
    first, *more = one.said or ("done" if one.code == 0 else f"ended with {one.code}",)
    return [
        *wrapped(f"{one.host}: {first}", mark, "    "),
        *(line for said in more for line in wrapped(said, "    ", "      ")),
    ]


def foot(made: Outcome) -> list[str]:
    """Return the lines that end it."""
    good = sum(one.code == 0 for one in made.hosts)
    lines = [f"{made.asked}: done on {good} of {len(made.hosts) + len(made.untouched)} host(s)"]
    if made.untouched:
        lines += wrapped(f"stopped; untouched: {listed(made.untouched, 20)}")
    return lines


def batch(names: Sequence[str], number: int, of: int) -> str:
    """Say whose turn it is."""
    return f"now {listed(names)} ({number} of {of})"
