"""Text that costs nothing to make: the same prompt always gets the same words."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_SENTENCE = (
    "the stoker tends a fire that never sleeps and feeds it coal by even measure so every engine "
    "keeps its steam while gauges rest between two marks until morning brings another quiet watch"
)
_WORDS = _SENTENCE.split()
_TOKEN = re.compile(r"\w+|[^\w\s]")
_VOCABULARY = 32000


@dataclass(frozen=True)
class Piece:
    """One token of a text, with its place in it."""

    id: int
    text: str
    start: int
    stop: int


def split(text: str) -> list[Piece]:
    """The tokens of a text: words and punctuation marks."""
    return [
        Piece(token_id(found.group()), found.group(), found.start(), found.end())
        for found in _TOKEN.finditer(text)
    ]


def token_id(text: str) -> int:
    """A number for a token, always the same for the same text."""
    return zlib.crc32(text.strip().encode()) % _VOCABULARY


def answer(prompt: str) -> Iterator[str]:
    """Endless tokens in answer to a prompt; each but the first begins with a space."""
    state = zlib.crc32(prompt.encode())
    first = True
    while True:
        state = (state * 1103515245 + 12345) % 2**31
        word = _WORDS[(state >> 8) % len(_WORDS)]
        yield word.capitalize() if first else f" {word}"
        first = False
