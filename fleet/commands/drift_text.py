"""Drift of many hosts in words: what is the same is told once, and a fight is called one. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from agent.drift.report import Finding, Report
from agent.show import age
from fleet.commands.shown import GREEN, RED, YELLOW, fit, listed, paint, plain, wrapped

FEW = 3  # hosts; less is no pattern
SHOWN = 86  # characters of what would be done


def render(
    reports: Mapping[str, Report],
    silent: Mapping[str, str],
    now: float | None = None,
    *,
    colour: bool = False,
) -> str:
    """Return the text; with `now`, seconds since 1970, also how old the reports are."""
    lines: list[str] = []
    for finding, hosts in grouped(reports):
        lines += _block(finding, hosts, colour=colour)
    for said in fights(reports):
        lines += [paint(one, RED, on=colour) for one in wrapped(said, "! ", "  ")]
    for name, why in silent.items():
        lines += wrapped(f"{name}: {why}", "? ", "    ")
    return "\n".join([*lines, *wrapped(_foot(reports, silent, now))])


def grouped(reports: Mapping[str, Report]) -> list[tuple[Finding, tuple[str, ...]]]:
    """Return each drift once, what was left first, with its hosts."""
    found: dict[Finding, list[str]] = {}
    for name, report in reports.items():
        for finding in report.findings:
            found.setdefault(finding, []).append(name)
    ordered = sorted(found, key=lambda one: not one.left)
    return [(finding, tuple(found[finding])) for finding in ordered]


def fights(reports: Mapping[str, Report]) -> Iterator[str]:
    """Say what most hosts have in common: that is no accident, somebody else writes it."""
    hosts: dict[tuple[str, str], set[str]] = {}
    for name, report in reports.items():
        for one in report.findings:
            hosts.setdefault((one.stage, one.operation), set()).add(name)
    for (stage, operation), names in hosts.items():
        if len(names) >= FEW and 2 * len(names) > len(reports):
            yield (
                f"{stage} | {operation}: the same drift on {len(names)} of {len(reports)} hosts: "
                "another tool writes it; make the two agree, or they undo each other for ever"
            )


def _block(finding: Finding, hosts: Sequence[str], *, colour: bool) -> Iterator[str]:
    mark, code = ("left     ", YELLOW) if finding.left else ("put right", GREEN)
    where = f"{finding.stage} | {finding.operation} ({finding.kind}) [{listed(hosts)}]"
    first, *more = wrapped(where, " " * 11, " " * 11)
    yield paint(mark, code, on=colour) + first[len(mark) :]
    yield from more
    if finding.left:
        yield from wrapped(finding.left, " " * 11, " " * 11)
    if finding.found:
        yield f"           $ {fit(plain(finding.found), SHOWN)}"


def _foot(reports: Mapping[str, Report], silent: Mapping[str, str], now: float | None) -> str:
    left = sum(bool(report.left) for report in reports.values())
    calm = sum(not report.findings for report in reports.values())
    parts = [f"{len(reports)} host(s) checked", f"{calm} as released", f"{left} with drift left"]
    parts += [f"{len(silent)} not checked"] if silent else []
    if now is not None and reports:
        oldest = min(report.at for report in reports.values())
        parts.append(f"oldest report {age(now - oldest)} ago")
    return " · ".join(parts)
