"""The last check for drift, as the agent shows it. It changes no phase and restarts nothing."""

import logging
from pathlib import Path

from agent.drift import report
from agent.drift.report import Kind, Report
from agent.errors import SourceError
from agent.model import Value

log = logging.getLogger("stoker.drift")


class Drifted(Value, frozen=True, kw_only=True):
    """One thing that is not as released, and why it was left so."""

    what: str
    kind: Kind
    why: str


class DriftView(Value, frozen=True, kw_only=True):
    """`checked`: when, seconds since 1970, None = never. `since`: when `left` became what it is.

    `corrected` = how many things that check put right. `problem` = why it cannot be told whether
    the node drifted; `maintenance` = a person keeps it as it is, in that person's words.
    """

    checked: float | None = None
    release: str = ""
    left: tuple[Drifted, ...] = ()
    since: float = 0.0
    corrected: int = 0
    problem: str = ""
    maintenance: str = ""


def view(found: Report | None) -> DriftView:
    """Return what is shown of a report; what its commands would be is not. Pure."""
    if found is None:
        return DriftView()
    return DriftView(
        checked=found.at,
        release=found.release,
        left=tuple(
            Drifted(what=f"{one.stage} | {one.operation}", kind=one.kind, why=one.left)
            for one in found.left
        ),
        since=found.since,
        corrected=len(found.findings) - len(found.left),
        problem=found.problem,
        maintenance=found.maintenance,
    )


class LastCheck:
    """Reads the report again whenever a check has written one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._view = DriftView()

    def __call__(self) -> DriftView:
        """Return the last check; one that cannot be read says so itself."""
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_ino)
        except OSError:
            seen = None
        if seen != self._seen:
            self._seen = seen
            self._view = self._read()
        return self._view

    def _read(self) -> DriftView:
        try:
            return view(report.read(self._path))
        except SourceError as error:
            log.warning("%s", error)
            return DriftView(problem=str(error))
