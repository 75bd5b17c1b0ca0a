"""What checks of before did and left: so that a fight is seen, and a change of what is left."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from agent.drift.report import Report
from agent.errors import GARBLED, SourceError
from fleet.drift import policy

Corrected = dict[str, tuple[float, ...]]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """`corrected` maps operations to when they were; `left` since `since`, seconds UTC."""

    corrected: Corrected = {}
    left: tuple[str, ...] = ()
    since: float = 0.0


def read(path: Path) -> History:
    """Return what is remembered; raise `SourceError` when it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=History)
    except FileNotFoundError:
        return History()
    except (OSError, *GARBLED) as error:
        raise SourceError(f"{path}: {error}") from error


def after(before: History, report: Report) -> History:
    """Return the history with a check added. Pure."""
    left = tuple(sorted(f"{one.stage} | {one.operation}" for one in report.left))
    return History(
        corrected=policy.remember(before.corrected, _corrected(report), report.at),
        left=left,
        since=before.since if left == before.left and before.since else report.at,
    )


def _corrected(report: Report) -> Iterable[str]:
    return (f"{one.stage} | {one.operation}" for one in report.findings if not one.left)
