"""What the gateway's nginx tells the agent: one line of its access log a request. Pure.

A line comes as a syslog datagram, `<190>Nov 28 01:20:03 stoker: {…}`. That an engine broke off an
answer stands in nginx's error log only; it comes the same way, under another tag, and before the
access log's line of the same connection.
"""

import re
from enum import StrEnum

import msgspec

from agent.errors import GARBLED

ERROR_TAG = b"stoker_error: "
HEAD = 64  # bytes within which the tag of a datagram stands
# `*5 upstream prematurely closed connection while reading upstream, client: …`
CONNECTION = re.compile(rb" \*(\d+) [^,]*while reading upstream")


class End(StrEnum):
    """How a stream ended: with `[DONE]`; with an error told in it; broken off; left by its client.

    Broken off is by the engine: it ended without `[DONE]`, or in the middle.
    """

    WHOLE = "whole"
    ERROR = "error"
    BROKEN = "broken"
    LEFT = "left"


class Line(msgspec.Struct, frozen=True):
    """The fields of a line that we count; `connection` is nginx's number of it."""

    status: int
    tenant: str = ""
    model: str = ""
    engine: str = ""
    reason: str = ""
    first: str = ""
    stream: str = ""
    done: str = ""
    stream_error: str = ""
    completion: str = ""
    connection: str = ""

    @property
    def first_seconds(self) -> float | None:
        """Time until the engine's head; after another try the sum of them. None: no engine."""
        parts = [part for one in self.first.split(",") if (part := one.strip()) not in {"", "-"}]
        try:
            return sum(map(float, parts)) if parts else None
        except ValueError:
            return None

    def end(self, *, broken: bool) -> End | None:
        """Return how the stream ended, None when it was none; `broken`: nginx said so of it."""
        if self.stream != "yes":
            return None
        if self.stream_error == "yes":
            return End.ERROR
        if self.done == "yes":
            return End.WHOLE
        return End.BROKEN if broken or self.completion == "OK" else End.LEFT


class Broken(msgspec.Struct, frozen=True):
    """An engine broke off its answer on this connection."""

    connection: str


DECODER = msgspec.json.Decoder(Line)


def parse(datagram: bytes) -> Line | Broken | None:
    """Read one datagram; None = an error that is none of ours. `ValueError` = not understood."""
    if ERROR_TAG in datagram[:HEAD]:
        found = CONNECTION.search(datagram)
        return Broken(found.group(1).decode()) if found else None
    start = datagram.find(b"{")
    if start < 0:
        raise ValueError("no line of the access log")
    try:
        return DECODER.decode(datagram[start:])
    except GARBLED as error:
        raise ValueError("no line of the access log") from error
