"""What a check for drift found and did, as the node keeps it in `drift.json`. Pure."""

import msgspec

from fleet.drift.kinds import Kind


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One operation that would change something. `left` says why it was left; empty = corrected."""

    stage: str
    operation: str
    kind: Kind
    found: str = ""
    left: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check. `at` seconds, UTC; `seconds` of wall time, `cpu` of processor time it took.

    `problem` = it could not be told whether there is drift, and why.
    """

    at: float
    release: str
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    cpu: float = 0.0
    problem: str = ""

    @property
    def left(self) -> tuple[Finding, ...]:
        """What still differs."""
        return tuple(one for one in self.findings if one.left)

    @property
    def code(self) -> int:
        """Exit code: 0 converged (also by correction), 2 drift is left, 1 cannot tell."""
        return 1 if self.problem else 2 if self.left else 0
