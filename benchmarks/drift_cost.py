"""What a check for drift costs a node on which nothing has drifted: CPU, memory, time; and truth.

Runs the check of one host of the sandbox again and again, by the command that cron runs, as root
there. CPU is that of the check and of everything that it starts (wait4 of the command), peak memory
the greatest of any of its processes (VmHWM, as wait4 tells it). What dockerd, systemd and the agent
do when they are asked is not in it. A finding on a converged host would be a false one: they are
counted. The simulated nvidia-smi is a Python program, which costs more than NVIDIA's.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import figures
from benchmarks.figures import CannotMeasureError, Figures
from tests.sandbox.fleet import Fleet

ENTRY = "sed -n 's/.*lock \\(.* drift\\) --splay.*/\\1/p' /etc/cron.d/stoker"
# On the host: run the command so often, and print what each run cost and said.
PROBE = r"""
import json, os, subprocess, sys, time
for _ in range(int(sys.argv[1])):
    begun = time.monotonic()
    one = subprocess.Popen([*sys.argv[2:], "--json"], stdout=subprocess.PIPE, text=True)
    out = one.stdout.read()
    _, status, used = os.wait4(one.pid, 0)
    one.returncode = os.waitstatus_to_exitcode(status)
    print(json.dumps({"code": one.returncode, "out": out, "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / 1024, "wall": time.monotonic() - begun}), flush=True)
"""


def main(arguments: list[str]) -> int:
    """Measure, print, and say whether it could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fleet", default="demo", help="of the sandbox (%(default)s)")
    parser.add_argument("--host", default="gpu-1", help="(%(default)s)")
    parser.add_argument("--runs", type=int, default=50, help="(%(default)s)")
    return figures.run(parser, measure, arguments)


def measure(options: argparse.Namespace) -> Figures:
    """Run the checks."""
    fleet = Fleet(options.fleet)
    found = fleet.ssh(options.host, ENTRY, check=False)
    command = found.out.strip()
    if not command:
        raise CannotMeasureError(f"{options.host} has no check: bring the fleet up and deploy")
    quoted = PROBE.replace("'", "'\\''")
    done = fleet.ssh(
        options.host,
        f"sudo python3 -c '{quoted}' {options.runs} {command}",
        deadline=60.0 * options.runs,
    )
    runs = [json.loads(line) for line in done.out.splitlines()]
    reports = [_report(one) for one in runs]
    return {
        "runs": len(runs),
        "false_findings": sum(len(one.get("findings", ())) for one in reports),
        "not_told": sum("problem" in one for one in reports),
        **figures.spread("cpu", (one["cpu"] for one in runs), "s", 1),
        **figures.spread("wall", (one["wall"] for one in runs), "s", 1),
        **figures.spread("peak", (one["peak"] for one in runs), "mib", 1),
    }


def _report(one: dict[str, str]) -> dict[str, list[object]]:
    try:
        return dict(json.loads(one["out"].splitlines()[-1]))
    except (IndexError, ValueError):
        raise CannotMeasureError(f"a check said: {one['out'][-300:]!r}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
