"""How fast an engine that died is started again.

On a host of the sandbox after the real deploy: the main process of the engine's container gets
SIGKILL, and the clock starts right before. `decided` is when the agent decided to start the engine
(its audit log), `begun` when systemd began to start the unit (InactiveExitTimestamp), `serving`
when chats are let in again. In between lie Docker, the runner that reports the end and exits,
systemd, and D-Bus. After each round a person's drain and undrain give back the restart budget, so
that each round meets the first restart, which has no backoff.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent.model import Phase, Verb
from agent.paths import engine_unit
from benchmarks import figures
from benchmarks.figures import CannotMeasureError, Figures
from benchmarks.host import ENGINE, Host
from tests.sandbox.fleet import Fleet

LIMIT = 60.0  # seconds for anything that is waited for


def main(arguments: list[str]) -> int:
    """Measure, print, and say whether it could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10, help="engines killed (%(default)s)")
    return figures.run(parser, measure, arguments)


def measure(options: argparse.Namespace) -> Figures:
    """Kill the engine again and again."""
    host = Host(Fleet("demo"))
    found: dict[str, list[float]] = {"decided": [], "begun": [], "serving": []}
    for _ in range(options.rounds):
        for name, seconds in _round(host).items():
            found[name].append(seconds)
        _refill(host)
    told: Figures = {"rounds": options.rounds}
    for name, values in found.items():
        told |= figures.spread(name, values)
    return told


def _round(host: Host) -> dict[str, float]:
    process = host.engine_process()
    begun = time.time()
    os.kill(process, signal.SIGKILL)
    decided = _decided(host, begun)
    host.wait_until_serving()
    serving = time.time()
    return {
        "decided": decided - begun,
        "begun": _unit_began(host) - begun,
        "serving": serving - begun,
    }


def _decided(host: Host, since: float) -> float:
    """Wait until the agent has decided to start the engine; return when it did."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        lines = (host.root / "var/lib/stoker/audit.jsonl").read_text().splitlines()[-20:]
        starts = [one["at"] for one in map(json.loads, lines) if one.get("start")]
        if starts and starts[-1] >= since:
            return float(starts[-1])
        time.sleep(0.02)
    raise CannotMeasureError(f"the engine was not started again within {LIMIT:.0f} s")


def _unit_began(host: Host) -> float:
    """Return when the unit's latest start began, as systemd stamps it (its clock is the same)."""
    show = f"systemctl show --timestamp=us -P InactiveExitTimestamp {engine_unit(ENGINE)}"
    return float(host.shell(f'date +%s.%N -d "$({show})"'))


def _refill(host: Host) -> None:
    """Give back the restart budget: a person's undrain of a drained engine does."""
    host.agent.ask(Verb.DRAIN, ENGINE, "benchmark", "to give back the budget")
    deadline = time.monotonic() + LIMIT
    while host.agent.status().engines[ENGINE].state.phase is not Phase.DRAINED:
        if time.monotonic() > deadline:
            raise CannotMeasureError("the engine does not drain")
        time.sleep(0.05)
    host.agent.ask(Verb.UNDRAIN, ENGINE, "benchmark", "on with the measurement")
    host.wait_until_serving()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
