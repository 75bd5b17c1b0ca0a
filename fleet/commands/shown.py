"""How commands look: tables of at most 100 columns, colour on a terminal, who is waited for."""

import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TextIO

import gevent

from fleet.commands.hosts import Answer, Heard

WIDTH = 100
RED, GREEN, YELLOW, DIM = "31", "32", "33", "2"
FIRST = 0.7  # seconds until it is worth to say who is waited for
_CLEAR = "\r\x1b[K"


def colours(stream: TextIO) -> bool:
    """Tell whether to print colours there (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def paint(text: str, code: str, *, on: bool) -> str:
    """Return the text in a colour."""
    return f"\x1b[{code}m{text}\x1b[0m" if on and code else text


def plain(text: str) -> str:
    """Leave out what could steer a terminal: texts of hosts, logs, and people may."""
    return "".join(char if char.isprintable() else " " for char in text)


def wrapped(text: str, first: str = "", later: str = "  ", width: int = WIDTH) -> list[str]:
    """Return lines of at most `width` columns."""
    return textwrap.wrap(
        plain(text), width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
    )


def table(
    rows: Sequence[Sequence[str]],
    shrink: Mapping[int, int],
    colour: Callable[[int, str], str] = lambda _column, _text: "",
    width: int = WIDTH,
) -> list[str]:
    """Return lines of columns; those in `shrink` give way in turn, each down to so many characters.

    `colour` says the colour of a cell by its column and text.
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for column, least in [*shrink.items(), *((column, 6) for column in shrink)]:
        excess = sum(widths) + 2 * (len(widths) - 1) - width
        if excess > 0:
            widths[column] = max(min(least, widths[column]), widths[column] - excess)
    lines = []
    for row in rows:
        cells = [fit(plain(cell), most) for cell, most in zip(row, widths, strict=True)]
        padded = [cell.ljust(most) for cell, most in zip(cells, widths, strict=True)]
        padded[-1] = cells[-1]
        painted = [
            paint(text, colour(n, row[n]), on=bool(colour(n, row[n])))
            for n, text in enumerate(padded)
        ]
        lines.append("  ".join(painted).rstrip())
    return lines


def fit(text: str, most: int) -> str:
    """Cut a text to `most` columns."""
    return text if len(text) <= most else text[: most - 1] + "…"


def listed(names: Iterable[str], most: int = 8) -> str:
    """Return names as a sentence has them, with the rest counted."""
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def waiting(silent: Sequence[str], asked: int, seconds: float) -> str:
    """Say who has not answered yet."""
    said = f"{asked - len(silent)} of {asked} hosts have answered; waiting for {listed(silent, 5)}"
    return fit(f"{said} · {seconds:.0f} s", WIDTH - 1)


@contextmanager
def awaiting(
    names: Sequence[str], heard: Heard | None = None, stream: TextIO | None = None
) -> Iterator[Heard]:
    """Show on a terminal, while it takes long, whose answer is missing."""
    out = stream or sys.stderr
    silent, begun = list(names), time.monotonic()

    def hear(answer: Answer) -> None:
        if answer.host in silent:
            silent.remove(answer.host)
        if heard is not None:
            if out.isatty():
                out.write(_CLEAR)
            heard(answer)

    def show() -> None:
        gevent.sleep(FIRST)
        while silent:
            out.write(_CLEAR + waiting(silent, len(names), time.monotonic() - begun))
            out.flush()
            gevent.sleep(0.5)

    if not out.isatty():
        yield hear
        return
    showing = gevent.spawn(show)
    try:
        yield hear
    finally:
        showing.kill()
        out.write(_CLEAR)
        out.flush()


def say(line: str = "") -> None:
    """Tell of the course of things, on stderr: stdout is for the result."""
    print(line, file=sys.stderr, flush=True)
