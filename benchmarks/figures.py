"""What every benchmark needs: figures of many values, of processes, and how they are told."""

import argparse
import json
import math
import os
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

Figures = dict[str, float | int | str]
Measure = Callable[[argparse.Namespace], Figures]


class CannotMeasureError(Exception):
    """Something that the measurement needs is not there; the message says what, and what to do."""


def run(parser: argparse.ArgumentParser, measure: Measure, arguments: Sequence[str]) -> int:
    """Measure and print; exit code 1 with a sentence when that cannot be done."""
    options = parser.parse_args(arguments)
    try:
        figures = measure(options)
    except CannotMeasureError as problem:
        print(f"{Path(sys.argv[0]).stem}: cannot measure: {problem}", file=sys.stderr)
        return 1
    tell(figures | {"machine": machine(), "load_1min": round(os.getloadavg()[0], 1)})
    return 0


def tell(figures: Figures) -> None:
    """Print a table, and then all of it as one line of JSON."""
    for name, value in figures.items():
        print(f"{name:<36}{_shown(value):>16}")
    print(json.dumps(figures), flush=True)


def last_line(output: str) -> Figures:
    """Read the figures back from what a program printed; `CannotMeasureError` if there are none."""
    lines = output.strip().splitlines()
    try:
        figures = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise CannotMeasureError("the last line is no JSON") from None
    if not isinstance(figures, dict):
        raise CannotMeasureError("the last line is no JSON object")
    return figures


def spread(name: str, values: Iterable[float], unit: str = "ms", scale: float = 1e3) -> Figures:
    """Return median, 99th centile (nearest rank) and greatest of `values` times `scale`."""
    ranked = sorted(value * scale for value in values)
    if not ranked:
        raise CannotMeasureError(f"no value of {name} was measured")
    found = {"p50": rank(ranked, 0.5), "p99": rank(ranked, 0.99), "max": ranked[-1]}
    return {f"{name}_{which}_{unit}": round(value, 3) for which, value in found.items()}


def rank(ranked: Sequence[float], share: float) -> float:
    """Return the smallest of the ranked values that at least that share does not exceed."""
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def tree(process: int) -> list[int]:
    """Return the process and all that descend from it, without zombies."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has ended while we looked
            continue
        if state != "Z":
            parents[int(stat.parent.name)] = int(parent)
    found = [process]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def memory(process: int) -> dict[str, int]:
    """Return Rss and Pss of a process in KiB (/proc/PID/smaps_rollup)."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    named = (line.partition(":") for line in lines)
    return {name: int(rest.split()[0]) for name, _, rest in named if name in {"Rss", "Pss"}}


def cpu(process: int) -> float:
    """Return the seconds of CPU of a process, those of its ended threads too (10 ms steps)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """Name the machine in a few words: figures mean nothing without."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if "model name" in line), "?")
    return f"{len(os.sched_getaffinity(0))} x {model}, Linux {platform.release()}"


def _shown(value: float | str) -> str:
    return (
        f"{value:,.3f}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else value
    )
