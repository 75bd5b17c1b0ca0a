"""What a check for drift found and did, as the node keeps it in `drift.json`."""

from enum import StrEnum
from pathlib import Path

import msgspec

from agent.errors import GARBLED, SourceError


class Kind(StrEnum):
    """SAFE: traffic notices nothing. DISRUPTIVE: engines restart. NEVER: a person does it."""

    SAFE = "safe"
    DISRUPTIVE = "disruptive"
    NEVER = "never"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is not as released. `left` says why it was left; empty = corrected.

    `operation` would put it right, by sending `found` first; or, for what none puts right, it says
    what is the matter, and `found` what was seen.
    """

    stage: str
    operation: str
    kind: Kind
    found: str = ""
    left: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check. `at` seconds, UTC; `seconds` of wall time, `cpu` of processor time it took.

    `since` = when what is left became what it is now. `problem` = it could not be told whether
    there is drift, and why. `maintenance` = a person keeps the node as it is: who, and why.
    """

    at: float
    release: str
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    cpu: float = 0.0
    problem: str = ""
    maintenance: str = ""
    since: float = 0.0

    @property
    def left(self) -> tuple[Finding, ...]:
        """What still differs."""
        return tuple(one for one in self.findings if one.left)

    @property
    def code(self) -> int:
        """Exit code: 0 converged (also by correction), 2 drift is left, 1 cannot tell."""
        return 1 if self.problem else 2 if self.left else 0


def read(path: Path) -> Report | None:
    """Return the last report; None = there was no check yet. Raises `SourceError`."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except FileNotFoundError:
        return None
    except (OSError, *GARBLED) as error:
        raise SourceError(f"{path}: {error}") from error
