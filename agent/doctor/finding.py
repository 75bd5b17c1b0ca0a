"""What an examination finds, and the report of a node."""

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How much it matters. UNKNOWN = it could not be looked at; NOTE = nothing is wrong."""

    FAULT = "fault"
    WARNING = "warning"
    UNKNOWN = "unknown"
    NOTE = "note"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`message` says in a sentence what is wrong, with what was seen; `fix` how to put it right."""

    severity: Severity
    message: str
    fix: str = ""
    examination: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found on a node; `at` is its own clock, in seconds since 1970 (UTC)."""

    node: str
    at: float
    findings: tuple[Finding, ...]
    examined: int


def fault(message: str, fix: str) -> Finding:
    """Something is broken, will break, or is open to others."""
    return Finding(severity=Severity.FAULT, message=message, fix=fix)


def warning(message: str, fix: str) -> Finding:
    """Something is not as it should be; nothing is broken yet."""
    return Finding(severity=Severity.WARNING, message=message, fix=fix)


def note(message: str, fix: str = "") -> Finding:
    """Worth knowing; nothing is wrong."""
    return Finding(severity=Severity.NOTE, message=message, fix=fix)


def unknown(message: str) -> Finding:
    """It could not be looked at."""
    return Finding(severity=Severity.UNKNOWN, message=message)
