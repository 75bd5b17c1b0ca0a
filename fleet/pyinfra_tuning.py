"""Makes pyinfra find out where an operation stands, and what it may be given, without a search.

For each operation of each host pyinfra 3.10 asks `inspect` for the source of every frame of the
stack, which looks through all modules for a file that is none (a deploy is none), and evaluates the
type hints of all global arguments anew. Of a converged run of four hosts that was a third of the
CPU (measured). `tests/fleet/test_pyinfra_tuning.py` fails when pyinfra changes.
"""

from collections.abc import Iterator
from functools import cache
from inspect import Traceback, currentframe
from types import FrameType
from typing import Any

from pyinfra.api import arguments, util

_hints = arguments.all_global_arguments


@cache
def _once() -> list[tuple[str, type[Any]]]:
    return _hints()


def quicken() -> None:
    """Have it find out quickly from now on; harmless twice."""
    arguments.all_global_arguments = _once
    util.stack = stack  # type: ignore[assignment]
    util.getframeinfo = getframeinfo  # type: ignore[assignment]


def stack() -> list[tuple[FrameType]]:
    """Return the frames from the caller's on, the innermost first: all of it that pyinfra reads."""
    here = currentframe()
    return list(_outwards(here.f_back if here else None))


def getframeinfo(frame: FrameType) -> Traceback:
    """Return file and line of a frame, and not its source."""
    code = frame.f_code
    return Traceback(code.co_filename, frame.f_lineno, code.co_name, None, None)


def _outwards(frame: FrameType | None) -> Iterator[tuple[FrameType]]:
    while frame is not None:
        yield (frame,)
        frame = frame.f_back
