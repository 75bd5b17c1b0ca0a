"""A request on its way through the engine, and what comes out of it."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Token:
    """One generated token; ``finish`` is set on the last: "length", "eos", "stop" or "abort"."""

    text: str
    finish: str | None


@dataclass(frozen=True)
class Failure:
    """The end of a request that did not succeed."""

    message: str
    lost: bool
    """True when the loop died with the request in its hands, False for a failed call."""


@dataclass(eq=False)
class Job:
    """One request on its way through the engine."""

    words: Iterator[str]
    prompt_tokens: int
    max_new_tokens: int
    natural_end: bool
    """True when the text ends by itself after ``max_new_tokens``, False when it is cut there."""
    stop: tuple[str, ...] = ()
    events: asyncio.Queue[Token | Failure] = field(default_factory=asyncio.Queue)
    queued_at: float = field(default_factory=time.monotonic)
    started_at: float | None = None
    generated: int = 0
    text: str = ""
    dropped: bool = False
    prefill: int = 0
    """Prompt tokens to compute, for an engine that does so in chunks; known once it has begun."""
    prefilled: int = 0
    prefill_pace: float = 0.0
    """Seconds for each of them."""
    first_token_at: float | None = None

    @property
    def reserved(self) -> int:
        """KV cache tokens that the request may come to need."""
        return self.prompt_tokens + self.max_new_tokens

    def take_token(self) -> bool:
        """Generate one token; True when it was the last."""
        word = next(self.words)
        self.generated += 1
        self.text += word
        finish = None
        if any(stop in self.text for stop in self.stop):
            finish = "stop"
        elif self.generated >= self.max_new_tokens:
            finish = "eos" if self.natural_end else "length"
        self.events.put_nowait(Token(word, finish))
        return finish is not None
