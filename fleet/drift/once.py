"""One check from beginning to end, with what it needs of the node and leaves on it."""

import contextlib

import msgspec

from agent import maintenance, spec
from agent.drift.report import Report
from agent.errors import StokerError
from agent.paths import Paths
from fleet.drift import check, deployed, history, others, policy
from fleet.drift.policy import Standing
from fleet.drift.standstill import Standstill

HISTORY = "corrections.json"


def checked(
    host: spec.HostSpec, report: Report, paths: Paths, engines: Standstill, *, report_only: bool
) -> Report:
    """Return the report of a check at `report.at`; raise `StokerError` when it cannot be told."""
    settings = host.drift
    if report_only:
        settings = msgspec.structs.replace(settings, mode="report")
    before = history.read(paths.state / HISTORY)
    kept = maintenance.read(paths.maintenance, report.at)
    standing = Standing(
        maintenance=kept.sentence() if kept else None,
        corrected=before.corrected,
        fighter=_fighter(before.corrected, settings, report.at),
        copy=_copy(engines),
    )
    if not report_only and kept is None:
        with contextlib.suppress(StokerError):  # no agent, so nothing that was left drained
            engines.end()
    with deployed.loaded() as found:
        findings = check.check(found, settings, standing, report.at, engines)
    made = msgspec.structs.replace(
        report, findings=findings, maintenance=standing.maintenance or ""
    )
    later = history.after(before, made)
    write(paths, HISTORY, msgspec.json.encode(later))
    return msgspec.structs.replace(made, since=later.since if made.left else 0.0)


def write(paths: Paths, name: str, content: bytes) -> None:
    """Replace a file of the state's directory in one step."""
    path = paths.state / name
    new = path.with_name(f".{name}.new")
    new.write_bytes(content + b"\n")
    new.replace(path)


def _copy(engines: Standstill) -> str:
    try:
        return engines.copy()
    except StokerError:  # no agent: nothing is known to serve
        return ""


def _fighter(corrected: history.Corrected, settings: spec.DriftSpec, now: float) -> str:
    back = [name for name in corrected if policy.fights(corrected, name, settings, now)]
    found = others.suspects(back) if back else ()
    return f"perhaps because {', and '.join(found[:3])}" if found else ""
