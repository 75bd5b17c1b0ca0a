"""`python -m fleet.drift`: check once, on a node, from the tree of its current release.

Exit codes: 0 converged, also by correction · 2 drift is left · 1 it cannot be told.
"""

# First, as pyinfra's own command line does it: gevent must patch before anything opens a socket.
import pyinfra_cli  # isort: skip

import argparse
import contextlib
import logging
import os
import random
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import gevent
import msgspec

from agent import hostlock, spec
from agent.errors import SourceError, StokerError
from agent.paths import Paths
from fleet.drift import check, deployed, policy, text
from fleet.drift.policy import Standing
from fleet.drift.report import Report
from fleet.drift.standstill import Engines
from fleet.release import given

__all__ = ["pyinfra_cli"]

MAINTENANCE = "maintenance"  # a file below /etc/stoker; its text is shown
HISTORY = "corrections.json"


def main(arguments: Sequence[str] | None = None, paths: Paths = Paths()) -> int:  # noqa: B008
    """Check, write the report, print it; return the exit code."""
    options = _parser().parse_args(arguments)
    time.sleep(random.uniform(0, options.splay))  # noqa: S311 - spreads load, hides nothing
    logging.getLogger("pyinfra").setLevel(logging.CRITICAL)
    begun, cpu = time.monotonic(), _cpu()
    release = given.release()
    if release is None:
        print("stoker-drift: this is no node: STOKER_RELEASE is not set", file=sys.stderr)
        return 1
    report = Report(at=round(time.time(), 1), release=release.name)
    try:
        host = spec.load((release / "host.json").read_bytes())
        with _alone():
            report = _checked(host, report, paths, report_only=options.report_only)
    except _BusyError as error:
        print(error, file=sys.stderr)
        return 0
    except (OSError, msgspec.DecodeError, StokerError) as error:
        report = msgspec.structs.replace(report, problem=str(error))
    seconds, spent = time.monotonic() - begun, _cpu() - cpu
    report = msgspec.structs.replace(report, seconds=round(seconds, 2), cpu=round(spent, 2))
    _write(paths.state / "drift.json", msgspec.json.encode(report))
    shown = msgspec.json.encode(report).decode() if options.json else text.render(report)
    print(shown)
    return report.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stoker-drift", description="Check this node once.")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--splay", type=int, default=0, help="wait up to so many seconds first")
    parser.add_argument("--report-only", action="store_true", help="put nothing right")
    return parser


def _checked(host: spec.HostSpec, report: Report, paths: Paths, *, report_only: bool) -> Report:
    settings = host.drift
    if report_only:
        settings = msgspec.structs.replace(settings, mode="report")
    corrected = _history(paths)
    standing = Standing(maintenance=_maintenance(paths), corrected=corrected)
    engines = Engines(host, paths)
    if not report_only and standing.maintenance is None:
        with contextlib.suppress(StokerError):  # no agent, so nothing that was left drained
            engines.end()
    with deployed.loaded() as found:
        findings = check.check(found, settings, standing, report.at, engines)
    done = [f"{one.stage} | {one.operation}" for one in findings if not one.left]
    _write(paths.state / HISTORY, msgspec.json.encode(policy.remember(corrected, done, report.at)))
    return msgspec.structs.replace(report, findings=findings)


class _BusyError(StokerError):
    """Somebody else is at this node: then that is no time to look."""


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    mine = {"by": "drift", "reason": "drift", "token": secrets.token_hex(8), "pid": os.getpid()}
    path = Path(hostlock.PATH)
    holder, code = hostlock.act(path, "take", mine, time.time())
    if code and holder is not None:
        raise _BusyError(f"not looked: {holder['by']} is at this node ({holder['reason']})")
    beating = gevent.spawn(_beat, path, mine)  # draining may take longer than a lock lives
    try:
        yield
    finally:
        beating.kill(block=False)
        hostlock.act(path, "leave", mine, time.time())


def _beat(path: Path, mine: hostlock.Holder) -> None:
    while True:
        gevent.sleep(hostlock.TTL / 4)
        hostlock.act(path, "beat", mine, time.time())


def _maintenance(paths: Paths) -> str | None:
    try:
        return (paths.etc / MAINTENANCE).read_text().strip() or "no reason was given"
    except FileNotFoundError:
        return None


def _history(paths: Paths) -> dict[str, tuple[float, ...]]:
    try:
        found = (paths.state / HISTORY).read_bytes()
        return msgspec.json.decode(found, type=dict[str, tuple[float, ...]])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise SourceError(f"{paths.state / HISTORY}: {error}") from error


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content + b"\n")
    new.replace(path)


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    sys.exit(main())
