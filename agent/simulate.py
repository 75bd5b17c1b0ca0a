"""`stokerctl simulate FILE`: what would the agent have done about this kernel log?

FILE is what dmesg, `journalctl -k` or a copy of /dev/kmsg gives; `-` is the standard input. For a
directory of traces with a known outcome (`agent.xid.truth`), precision and recall are told.
Ends with 0 if there was nothing to do (or every trace came out right), 3 if there was, and 1 if
FILE cannot be read.
"""

import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import msgspec

from agent.errors import StokerError
from agent.model import Remedy
from agent.xid import truth
from agent.xid.replay import Act, Setting, Step, simulate
from agent.xid.truth import Score

__all__ = ["Setting", "Step", "main", "render", "simulate"]

WIDTH = 100
NOTHING, UNREADABLE, ACTED = 0, 1, 3


def main(path: str, *, as_json: bool, setting: Setting | None = None) -> int:
    """Print what would have been done; return the exit code."""
    try:
        if path != "-" and Path(path).is_dir():
            return _scored(truth.score(truth.traces(Path(path))), as_json=as_json)
        steps = simulate(_lines(path), setting)
    except (OSError, StokerError) as error:
        print(f"stokerctl: {path}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return UNREADABLE
    print(msgspec.json.encode(steps).decode() if as_json else render(steps))
    acted = any(step.act in {Act.DRAIN, Act.REMEDY} for step in steps)
    return ACTED if acted else NOTHING


def render(steps: Iterable[Step]) -> str:
    """Return the steps as text for people, at most 100 columns wide."""
    lines = [line for step in steps for line in _told(step)]
    return "\n".join(lines or ["nothing would have been done"])


def _lines(path: str) -> list[bytes]:
    data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    return data.split(b"\n")


def _told(step: Step) -> list[str]:
    head = f"{step.at:>14.3f}  line {step.line:<6} "
    where = f"GPU {step.gpu}"
    match step.act:
        case Act.DRAIN:
            return [head + f"would have drained {where}, at", *_quoted(step.text)]
        case Act.CLEAR:
            return [head + f"would have let {where} serve again"]
        case Act.NOTE:
            act = "would have noted, and gone on serving:"
        case Act.REMEDY:
            assert step.verdict is not None
            act = f"would {_DID[step.verdict.remedy]}:"
    assert step.verdict is not None
    return [head + act, *_wrapped(f"{step.verdict.reason}: {step.verdict.message}")]


_DID = {
    Remedy.DRAIN: "have kept it drained",
    Remedy.RESTART: "then have restarted the engine",
    Remedy.RESET: "then have reset the GPU",
    Remedy.REBOOT: "then have rebooted the host",
    Remedy.QUARANTINE: "then have taken it out of service",
}


def _quoted(text: str) -> list[str]:
    return [f"    | {text}"[:WIDTH]]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _scored(found: Score, *, as_json: bool) -> int:
    good = not (found.false_drains or found.missed or found.wrong_remedy)
    if as_json:
        told = {"precision": found.precision, "recall": found.recall}
        print(msgspec.json.encode({**msgspec.to_builtins(found), **told}).decode())
        return NOTHING if good else ACTED
    print(f"{found.traces} traces: precision {found.precision:.4f}, recall {found.recall:.4f}")
    for name in found.false_drains:
        print(f"  false drain: {name}"[:WIDTH])
    for name in found.missed:
        print(f"  missed: {name}"[:WIDTH])
    for name in found.wrong_remedy:
        print(f"  wrong remedy: {name}"[:WIDTH])
    return NOTHING if good else ACTED
