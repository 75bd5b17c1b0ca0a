"""What a check is: `read` looks (and may fail), `judge` decides (and is pure)."""

from typing import Protocol, TypeVar

from agent.model import CheckResult, Remedy, Status
from agent.sources import Sources
from agent.spec import HostSpec

R = TypeVar("R")


class Check(Protocol[R]):
    """One health check. The runner adds the deadline, and turns an exception into UNKNOWN."""

    name: str

    async def read(self, sources: Sources) -> R:
        """Take what the judgement needs from the sources; `SourceError` if it is not there."""

    def judge(self, reading: R, spec: HostSpec) -> list[CheckResult]:
        """Say what the reading means, one result for each subject."""


def ok(check: str, subject: str, message: str) -> CheckResult:
    """Return the result of a check that found nothing wrong."""
    return CheckResult(check=check, subject=subject, status=Status.OK, reason="Ok", message=message)


def unknown(check: str, subject: str, message: str) -> CheckResult:
    """Return the result of a check that could not look."""
    return CheckResult(
        check=check, subject=subject, status=Status.UNKNOWN, reason="CannotLook", message=message
    )


def warn(
    check: str,
    subject: str,
    reason: str,
    message: str,
    *,
    capacity: float = 1.0,
    evidence: str = "",
) -> CheckResult:
    """Return the result of a check that found what a person should know, and no traffic should."""
    return CheckResult(
        check=check,
        subject=subject,
        status=Status.WARN,
        reason=reason,
        message=message,
        capacity=capacity,
        evidence=evidence,
    )


def fail(
    check: str,
    subject: str,
    reason: str,
    message: str,
    remedy: Remedy = Remedy.NONE,
    *,
    certain: bool = False,
    fatal: bool = False,
    evidence: str = "",
) -> CheckResult:
    """Return the result of a check that found a fault, with the least remedy that would help."""
    return CheckResult(
        check=check,
        subject=subject,
        status=Status.FAIL,
        reason=reason,
        message=message,
        remedy=remedy,
        certain=certain,
        fatal=fatal,
        evidence=evidence,
    )
