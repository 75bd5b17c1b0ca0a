"""A verdict as a table of at most 100 columns: what the memory goes to, an engine a column."""

import textwrap
from collections.abc import Iterator, Sequence

from agent.planner.ledger import Fit
from agent.planner.units import GIB

WIDTH = 100
LABEL = 16


def render(fits: Sequence[Fit]) -> str:
    """Render verdicts side by side, what they mean below; up to five fit into the width."""
    return "\n".join([*_grid(fits), *(line for one in fits for line in _words(one))])


def title(one: Fit) -> str:
    """Return what was planned: engine, GPUs and degree."""
    ranks = f"{one.wish.gpus}×{one.card}"
    return f"{one.wish.engine} {ranks}"


def _grid(fits: Sequence[Fit]) -> Iterator[str]:
    column = min(22, (WIDTH - LABEL) // max(1, len(fits)))
    yield _row("GiB a GPU", [title(one) for one in fits], column)
    yield "-" * (LABEL + column * len(fits))
    names = next((dict(one.ledger.parts()) for one in fits if one.ledger), {})
    for name in names:
        yield _row(name, [_size(one, name) for one in fits], column)
    yield _row("left", [_left(one) for one in fits], column)
    yield _row("give or take", [_doubt(one) for one in fits], column)
    yield _row("KV tokens", [f"{one.tokens:,}" if one.ledger else "-" for one in fits], column)
    yield _row("requests", [f"{one.holds:.1f}" if one.ledger else "-" for one in fits], column)
    yield _row("fits", ["yes" if one.fits else "NO" for one in fits], column)


def _row(label: str, cells: Sequence[str], column: int) -> str:
    return f"{label:{LABEL}}" + "".join(f"{cell[: column - 1]:>{column}}" for cell in cells)


def _size(one: Fit, name: str) -> str:
    return f"{dict(one.ledger.parts())[name] / GIB:.2f}" if one.ledger else "-"


def _left(one: Fit) -> str:
    return f"{one.ledger.left / GIB:.2f}" if one.ledger else "-"


def _doubt(one: Fit) -> str:
    return f"{one.ledger.doubt / GIB:.2f}" if one.ledger else "-"


def _words(one: Fit) -> Iterator[str]:
    yield from _wrapped(f"{title(one)}: {one.message}", "")
    for warning in one.warnings:
        yield from _wrapped(f"warning: {warning}", "  ")
    for near in one.near:
        yield from _wrapped(f"would fit: {near.message}", "  ")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_long_words=True
    )
