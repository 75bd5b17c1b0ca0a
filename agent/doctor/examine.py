"""All examinations at once, each with a deadline: what hangs is unknown, and holds nobody up."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from agent.doctor.examination import Examination
from agent.doctor.finding import Finding, Severity, unknown
from agent.doctor.seen import Seen
from agent.errors import StokerError
from agent.spec import HostSpec

DEADLINE = 20.0  # seconds
_ORDER = list(Severity)


def examine(
    examinations: Sequence[Examination[Any]],
    seen: Seen,
    spec: HostSpec | None,
    *,
    deadline: float = DEADLINE,
    clock: Callable[[], float] = time.time,
) -> tuple[Finding, ...]:
    """Return what was found, the gravest first."""
    found: dict[str, list[Finding]] = {}

    def one(examination: Examination[Any]) -> None:
        found[examination.name] = _findings(examination, seen, spec, clock)

    # Daemons: a thread that hangs must not keep the process from ending.
    threads = [threading.Thread(target=one, args=(e,), daemon=True) for e in examinations]
    for thread in threads:
        thread.start()
    until = time.monotonic() + deadline
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    late = [unknown(f"no answer within {deadline:.0f} s")]
    made = [
        replace(finding, examination=examination.name)
        for examination in examinations
        for finding in found.get(examination.name, late)
    ]
    return tuple(sorted(made, key=lambda finding: _ORDER.index(finding.severity)))


def _findings(
    examination: Examination[Any], seen: Seen, spec: HostSpec | None, clock: Callable[[], float]
) -> list[Finding]:
    try:
        return list(examination.judge(examination.read(seen, spec), spec, clock()))
    except StokerError as error:
        return [unknown(str(error))]
    except Exception as error:  # one examination must not hide the others
        return [unknown(f"this examination is broken: {type(error).__name__}: {error}")]
