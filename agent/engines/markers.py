"""Why an engine ended, read from its last lines: tables of markers, tried from top to bottom.

A marker of a cause stands above a marker of its consequence ("Shard 0 failed to start" follows
every failed start). To teach Stoker a new way to fail, add a line to a table, and a line of a
log to its cases in the tests. `shared_tables` holds what all engines have in common.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from agent.engines.base import Ending
from agent.reports import ExitClass

USAGE = 2  # clap's and argparse's exit code for a command line they refuse
KILLED, TERMINATED = 137, 143  # 128 + SIGKILL, 128 + SIGTERM


class Marker(NamedTuple):
    """`sentence` is for the operator; its {names} are the named groups of `pattern`.

    {what} is the whole line unless a group has that name.
    """

    reason: str
    kind: ExitClass
    pattern: str
    sentence: str


def find(markers: Sequence[Marker], lines: Sequence[str]) -> Ending | None:
    """Return the ending of the first marker whose pattern any line matches."""
    for marker in markers:
        pattern = re.compile(marker.pattern)
        for line in reversed(lines):
            if match := pattern.search(line):
                named = {name: text or "" for name, text in match.groupdict().items()}
                message = marker.sentence.format_map({"what": line.strip()[:300], **named})
                return Ending(kind=marker.kind, reason=marker.reason, message=message)
    return None


def by_code(code: int, program: str) -> Ending:
    """Judge an ending that left no marker by its exit code alone."""
    if code == USAGE:
        message = f"{program} refused its command line: look at extra_args"
        return Ending(kind=ExitClass.CONFIG, reason="BadFlag", message=message)
    if code == KILLED:
        message = (
            f"{program} was killed (SIGKILL), most often by the kernel for want of host memory"
        )
        return _crash("Killed", message)
    if code == TERMINATED:
        return _crash("Terminated", f"{program} was told to stop by somebody other than Stoker")
    return _crash("Crashed", f"{program} ended with exit code {code} and no known marker")


def _crash(reason: str, message: str) -> Ending:
    return Ending(kind=ExitClass.CRASH, reason=reason, message=message)
