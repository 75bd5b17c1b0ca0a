"""A report as people read it. Pure."""

from agent.drift.report import Finding, Report


def render(report: Report) -> str:
    """Return the report as lines of at most 100 columns where the evidence allows."""
    if report.problem:
        return f"cannot tell whether this node drifted: {report.problem}"
    if not report.findings:
        return f"converged: as release {report.release} says ({report.seconds:.1f} s)"
    return "\n".join(line for one in report.findings for line in _lines(one))


def _lines(one: Finding) -> list[str]:
    if not one.left:
        return [f"put right  {one.stage} | {one.operation}"]
    return [f"left       {one.stage} | {one.operation} ({one.kind})", f"           {one.left}"]
