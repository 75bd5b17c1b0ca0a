"""Findings in words, for a node or for many: what is the same is said once. Pure."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from agent.doctor.finding import Finding, Severity

WIDTH = 100
COLOURS = {Severity.FAULT: "31", Severity.WARNING: "33", Severity.UNKNOWN: "35", Severity.NOTE: "2"}
_ORDER = list(Severity)


def render(
    found: Mapping[str, Sequence[Finding]], *, notes: bool, colour: bool, width: int = WIDTH
) -> str:
    """Return a block for each finding, the gravest first; `found` maps hosts to their findings.

    With a single host its name is left out.
    """
    lines: list[str] = []
    for finding, hosts in grouped(found):
        if finding.severity is not Severity.NOTE or notes:
            lines += _block(finding, hosts if len(found) > 1 else (), colour=colour, width=width)
    return "\n".join([*lines, summary(found)])


def silent(host: str, why: str, *, width: int = WIDTH) -> str:
    """Say that a host could not be examined."""
    return "\n".join(_wrapped(f"{host}: {why}", "silent  ", width))


def grouped(
    found: Mapping[str, Sequence[Finding]],
) -> list[tuple[Finding, tuple[str, ...]]]:
    """Return each finding once, with the hosts that have it."""
    hosts: dict[Finding, list[str]] = {}
    for host, findings in found.items():
        for finding in dict.fromkeys(_unknowns(findings)):
            hosts.setdefault(finding, []).append(host)
    ordered = sorted(hosts, key=lambda finding: _ORDER.index(finding.severity))
    return [(finding, tuple(hosts[finding])) for finding in ordered]


def summary(found: Mapping[str, Sequence[Finding]]) -> str:
    """Say how many there are of each; notes are not counted as findings."""
    all_of = [finding for findings in found.values() for finding in findings]
    counts = {severity: sum(one.severity is severity for one in all_of) for severity in Severity}
    parts = [_count(counts[severity], severity) for severity in Severity if counts[severity]]
    shown = [part for part in parts if "note" not in part]
    tail = (
        f" ({_count(counts[Severity.NOTE], Severity.NOTE)}: --all)" if counts[Severity.NOTE] else ""
    )
    return (", ".join(shown) or "nothing is wrong") + tail


def _count(number: int, severity: Severity) -> str:
    if severity is Severity.UNKNOWN:
        return f"{number} not looked at"
    return f"{number} {severity}{'s' if number > 1 else ''}"


def _unknowns(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Put examinations together that could not look for the same reason."""
    names: dict[str, list[str]] = {}
    for one in findings:
        if one.severity is Severity.UNKNOWN:
            names.setdefault(one.message, []).append(one.examination)
    for one in findings:
        if one.severity is not Severity.UNKNOWN:
            yield one
        elif one.message in names:
            examinations = ", ".join(names.pop(one.message))
            yield Finding(
                severity=one.severity, message=one.message, fix=one.fix, examination=examinations
            )


def _block(finding: Finding, hosts: Sequence[str], *, colour: bool, width: int) -> Iterator[str]:
    where = f" [{', '.join(hosts)}]" if hosts else ""
    said = f"{finding.examination}: {finding.message}{where}"
    label = f"{finding.severity:8}"
    first, *rest = _wrapped(said, label, width)
    if colour:
        first = f"\x1b[{COLOURS[finding.severity]}m{label}\x1b[0m{first[len(label) :]}"
    yield first
    yield from rest
    if finding.fix:
        yield from _wrapped(f"fix: {finding.fix}", " " * 10, width)


def _wrapped(said: str, first: str, width: int) -> list[str]:
    return textwrap.wrap(
        said,
        width,
        initial_indent=first,
        subsequent_indent=" " * 10,
        break_on_hyphens=False,
        break_long_words=False,
    )
