"""`stokerctl doctor`: examine this node and print what was found.

Exit codes: 0 nothing found · 1 faults or warnings · 2 wrong use (it needs root).
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent.doctor import text
from agent.doctor.examinations import EXAMINATIONS
from agent.doctor.examine import examine
from agent.doctor.finding import Finding, Report, Severity, fault
from agent.doctor.node import Node
from agent.doctor.real import RealNode
from agent.doctor.seen import Seen
from agent.errors import GARBLED
from agent.paths import Paths
from agent.spec import HostSpec, load

GRAVE = frozenset({Severity.FAULT, Severity.WARNING})


def main(*, as_json: bool, notes: bool, is_root: Callable[[], bool] | None = None) -> int:
    """Examine this node; return the exit code."""
    if not (is_root or (lambda: os.geteuid() == 0))():
        print("stokerctl: doctor looks at what root alone may read; try with sudo", file=sys.stderr)
        return 2
    made = report(RealNode(), Paths().spec)
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(made)).decode())
    else:
        found = {made.node: made.findings}
        print(text.render(found, notes=notes, colour=sys.stdout.isatty()))
    return code(made.findings)


def report(node: Node, path: Path) -> Report:
    """Examine a node whose spec lies, or should lie, at `path`."""
    spec, broken = _spec(node, path)
    found = examine(EXAMINATIONS, Seen(node), spec)
    name = spec.name if spec else os.uname().nodename
    return Report(node=name, at=time.time(), findings=(*broken, *found), examined=len(EXAMINATIONS))


def code(findings: tuple[Finding, ...]) -> int:
    """Return the exit code: what could not be looked at is no fault."""
    return int(any(one.severity in GRAVE for one in findings))


def _spec(node: Node, path: Path) -> tuple[HostSpec | None, tuple[Finding, ...]]:
    told = node.text(str(path))
    if told is None:
        return None, ()
    try:
        return load(told.encode()), ()
    except GARBLED as error:
        wrong = fault(f"{path} cannot be read: {error}", "deploy this host again")
        return None, (msgspec.structs.replace(wrong, examination="spec"),)
