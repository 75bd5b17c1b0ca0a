"""Runs every benchmark of the agent and the gateway, and tells each target: `make bench`.

Prints one Markdown table, as docs/benchmarks.md holds it, and keeps it and every program's output
in build/benchmarks. Exit code 1 when a program could not measure; a target that is missed is a
figure like any other.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import figures
from benchmarks.figures import CannotMeasureError, Figures
from benchmarks.host import prepare
from tests.sandbox.shell import SandboxError

HERE = Path(__file__).parent
KEPT = HERE.parent / "build" / "benchmarks"
LONGEST = 900.0  # seconds for one program


@dataclass(frozen=True)
class Target:
    """What is promised of one figure: no more than `most`, in the figure's own unit."""

    program: str
    figure: str
    what: str
    most: float
    unit: str

    def row(self, found: Figures | None) -> str:
        """Return the line of the table."""
        value = None if found is None else found.get(self.figure)
        if not isinstance(value, int | float):
            return (
                f"| {self.what} | ≤ {self.most:g}{self.unit} | not measured | | `{self.program}` |"
            )
        verdict = "reached" if value <= self.most else "**missed**"
        shown = f"{value:.3g}" if value < 1000 else f"{value:.0f}"
        return (
            f"| {self.what} | ≤ {self.most:g}{self.unit} | {shown}{self.unit} | {verdict} "
            f"| `{self.program}` |"
        )


DRAIN, RESTART, HANG = "agent_drain_latency", "agent_restart_latency", "agent_hang_detection"
DRIVER, STORM, COST = "agent_driver_hang", "agent_log_storm", "agent_footprint"
TRUTH, GATEWAY = "agent_decision_truth", "gateway_overhead"
TARGETS = (
    Target(DRAIN, "load_readyz_p50_ms", "fatal line → `/readyz` 503, loaded, P50", 20, " ms"),
    Target(DRAIN, "load_readyz_p99_ms", "the same, P99", 250, " ms"),
    Target(DRAIN, "load_agent_check_p50_ms", "fatal line → agent-check `drain`, P50", 20, " ms"),
    Target(DRAIN, "load_agent_check_p99_ms", "the same, P99", 250, " ms"),
    Target(DRAIN, "load_gateway_p50_ms", "fatal line → gateway refuses, loaded, P50", 20, " ms"),
    Target(DRAIN, "load_gateway_p99_ms", "the same, P99", 250, " ms"),
    Target(DRAIN, "idle_all_p99_ms", "all three, nothing else running, P99", 250, " ms"),
    Target(DRAIN, "streams_broken", "streams in flight that a drain broke off", 0, ""),
    Target(RESTART, "begun_p99_ms", "engine killed → its restart begun, P99", 1000, " ms"),
    Target(HANG, "vllm_load_max_s", "hung vLLM told, under load", 10, " s"),
    Target(HANG, "sglang_load_max_s", "hung SGLang told, under load", 10, " s"),
    Target(HANG, "vllm_idle_max_s", "hung vLLM told, idle", 15, " s"),
    Target(HANG, "sglang_idle_max_s", "hung SGLang told, idle", 15, " s"),
    Target(HANG, "tgi_load_scaled_s", "hung TGI told, its 150 s set to 5 s, under load", 38, " s"),
    Target(HANG, "tgi_idle_scaled_s", "hung TGI told, idle", 43, " s"),
    Target(HANG, "false_hits", "engines that are well, told hung", 0, ""),
    Target(DRIVER, "flagged_max_s", "driver call that never returns → told", 5, " s"),
    Target(DRIVER, "whole_driver_flagged_s", "the whole driver hangs → told", 5, " s"),
    Target(DRIVER, "http_p99_ms", "`/readyz` all the while, P99", 50, " ms"),
    Target(DRIVER, "abandoned_per_gpu_hung", "abandoned children for each hung GPU", 1, ""),
    Target(STORM, "fatal_lines_lost", "fatal lines lost in 10,000 lines a second", 0, ""),
    Target(STORM, "drain_p99_ms", "fatal line in the storm → `/readyz` 503, P99", 250, " ms"),
    Target(STORM, "pss_growth_peak_mib", "memory that the storm adds, at its peak", 10, " MiB"),
    Target(STORM, "pss_growth_after_mib", "memory that the storm leaves", 10, " MiB"),
    Target(TRUTH, "benign_false_drains", "false drains on the benign corpus", 0, ""),
    Target(TRUTH, "fatal_missed_fatals", "missed fatals of the catalogue", 0, ""),
    Target(TRUTH, "nvlink5_missed_fatals", "missed fatals of the NVLink5 rules", 0, ""),
    Target(COST, "pss_mib", "Pss of all the agent's processes, 8 GPUs", 80, " MiB"),
    Target(COST, "cpu_percent", "CPU of all the agent's processes, 8 GPUs at 1 Hz", 0.5, " %"),
    Target(GATEWAY, "added_gateway_p99_ms", "the gateway adds to the first byte, P99", 1, " ms"),
    Target(GATEWAY, "added_by_name_p99_ms", "the same where the model is chosen by name", 1, " ms"),
    Target(GATEWAY, "paced_gateway_lost_percent", "tokens a second lost to the gateway", 1, " %"),
    Target(GATEWAY, "paced_by_name_lost_percent", "the same by name", 1, " %"),
)
# Those that need the sandbox's host come first: it is fresh.
PROGRAMS = (DRAIN, RESTART, HANG, DRIVER, STORM, COST, TRUTH, GATEWAY)


def main(arguments: list[str]) -> int:
    """Run all, print the table; exit code 1 when something could not be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    options = parser.parse_args(arguments)
    KEPT.mkdir(parents=True, exist_ok=True)
    try:
        if {DRAIN, RESTART} & set(options.only):
            print("bringing up the sandbox's host and deploying to it", flush=True)
            prepare()
    except (CannotMeasureError, SandboxError) as problem:
        print(f"no sandbox host: {problem}", file=sys.stderr)
    found = {name: _run(name) for name in options.only}
    table = "\n".join(_table(found))
    (KEPT / "table.md").write_text(table + "\n")
    print(table)
    return 1 if None in found.values() else 0


def _run(name: str) -> Figures | None:
    """Run one program; None when it could not measure."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(HERE / f"{name}.py")],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST,
    )
    (KEPT / f"{name}.txt").write_text(done.stdout)
    print(f"{name}: {time.monotonic() - begun:.0f} s, exit code {done.returncode}", flush=True)
    try:
        return figures.last_line(done.stdout) if done.returncode == 0 else None
    except CannotMeasureError:
        return None


def _table(found: dict[str, Figures | None]) -> Iterator[str]:
    loads = [one["load_1min"] for one in found.values() if one and "load_1min" in one]
    told = f"; load after each program: {', '.join(map(str, loads))}" if loads else ""
    yield f"Measured on {figures.machine()}{told}."
    yield ""
    yield "| what | target | measured | | by |"
    yield "|---|---|---|---|---|"
    yield from (one.row(found[one.program]) for one in TARGETS if one.program in found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
