r"""Kernel log records in every shape that people and programs hand them over.

/dev/kmsg: `prio,seq,usec,flags;text`, one record a read, control characters as `\x0a`
(Documentation/ABI/testing/dev-kmsg); plain dmesg (also -T, -x, --time-format iso); and the
journal's short forms. Nothing here raises.
"""

import re
from datetime import UTC, datetime

from agent.model import Value

_KMSG = re.compile(r"(\d{1,6}),(\d{1,20}),(\d{1,20}),[^;]{0,40};(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_LEVEL = re.compile(r"(?:<\d{1,3}>|[a-z]{3,8} *:[a-z]{2,8} *: )")  # raw, and `dmesg -x`
_STAMP = re.compile(r"\[ *(\d{1,12}\.\d{1,9})\] ?(?:\[ *[TC]\d+\] ?)?")
_CALENDAR = re.compile(r"\[\w{3} (\w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\] ?")
_JOURNAL = re.compile(r"(\w{3} [ \d]\d \d\d:\d\d:\d\d) (\S+) ([^\s:\[]+)(?:\[\d+\])?: ?")
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)? "
    r"(?:([^\s:]+) ([^\s:\[]+)(?:\[\d+\])?: ?)?"
)
_DICTIONARY = re.compile(r" [A-Z_]+=")
_TAG = re.compile(r"kernel: ?")


class Record(Value, frozen=True, kw_only=True):
    """One message. `at`: seconds, since boot or since 1970, as the form has it; None = untold.

    `speaker` is "kernel", or the program that wrote the message ("user": through /dev/kmsg).
    """

    text: str
    at: float | None = None
    seq: int | None = None
    speaker: str = "kernel"


def record(line: str | bytes) -> Record | None:
    """Return the record in `line`; None for an empty line and for kmsg's dictionary lines."""
    if isinstance(line, bytes):
        line = line.decode("utf-8", "replace")
    line = line.rstrip("\r\n\0 ")
    if not line or _DICTIONARY.match(line):
        return None
    found = _KMSG.match(line)
    if found:
        return _kmsg(*found.groups())
    return _plain(line)


def join(before: str, text: str) -> tuple[str, str]:
    """Put together what the driver prints as three lines when a GPU does not answer at load.

    Hand in what the last call remembered; returns what to remember and the text to parse.
    """
    if text.startswith("NVRM: The NVIDIA GPU ") and "fallen off" not in text:
        return text, text
    if before and text.startswith("NVRM: ") and "Xid" not in text:
        whole = f"{before}\n{text}"
        return ("" if "fallen off" in text else whole[:300]), whole
    return "", text


def _kmsg(priority: str, seq: str, microseconds: str, text: str) -> Record:
    text = text.split("\n", 1)[0]  # dictionary lines follow in the same read
    if "\\x" in text:
        text = _ESCAPE.sub(lambda code: chr(int(code[1], 16)), text)
    # The kernel never lets a program write with its own facility, 0.
    speaker = "kernel" if int(priority) >> 3 == 0 else "user"
    return Record(text=text, at=int(microseconds) / 1e6, seq=int(seq), speaker=speaker)


def _plain(line: str) -> Record:
    line = line.lstrip()
    at: float | None = None
    speaker = "kernel"
    if level := _LEVEL.match(line):
        line = line[level.end() :]
    if found := _JOURNAL.match(line):
        at, speaker = _instant(f"2000 {found[1]}", "%Y %b %d %H:%M:%S"), found[3]
        line = line[found.end() :]
    elif found := _ISO.match(line):
        at, speaker = _instant(found[1], "%Y-%m-%dT%H:%M:%S"), found[3] or speaker
        line = line[found.end() :]
    if found := _TAG.match(line):
        line = line[found.end() :]
    if found := _STAMP.match(line):
        at, line = at if at is not None else float(found[1]), line[found.end() :]
    elif found := _CALENDAR.match(line):
        at, line = _instant(found[1], "%b %d %H:%M:%S %Y"), line[found.end() :]
    return Record(text=line, at=at, speaker=speaker)


def _instant(text: str, form: str) -> float | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
