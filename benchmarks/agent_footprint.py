"""What the agent costs: memory and CPU of all its processes, with 8 GPUs looked at once a second.

The real agent on this machine (`benchmarks.rig`) watches 8 simulated GPUs and one idle engine over
all of them; nobody asks it anything. After it has settled, its CPU is counted for `--seconds` and
its memory read at the end (Pss: shared pages are divided among those who share them). What one
scrape of `/metrics` costs is measured after that, and a second, shorter run under cProfile says
where the main process's time goes; cProfile makes calls dearer, so these are shares.
What the simulated NVML library costs is in it; what a real driver would cost is not.
"""

from __future__ import annotations

import argparse
import marshal
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import figures
from benchmarks.figures import CannotMeasureError, Figures
from benchmarks.rig import Rig, rig

GPUS = 8
SETTLING = 12.0  # seconds: the slow facts are read, the first idle probe is answered
SCRAPES = 20
TOP = 12


def main(arguments: list[str]) -> int:
    """Measure, print, and say whether it could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="(%(default)s)")
    parser.add_argument("--profiled", type=float, default=15.0, help="0 = no profile (%(default)s)")
    return figures.run(parser, measure, arguments)


def measure(options: argparse.Namespace) -> Figures:
    """Measure cost, then where it goes."""
    engines = {"main": {"kind": "vllm", "gpus": GPUS}}
    with rig(engines, gpus=GPUS) as one:
        found = _cost(one, options.seconds) | _scrape(one)
    if options.profiled:
        found |= _profile(engines, options.profiled)
    return found


def _cost(one: Rig, seconds: float) -> Figures:
    time.sleep(SETTLING)
    processes = {_name(process): process for process in one.processes}
    before = {name: figures.cpu(process) for name, process in processes.items()}
    begun = time.monotonic()
    time.sleep(seconds)
    wall = time.monotonic() - begun
    found: Figures = {"gpus": GPUS, "seconds": round(wall, 1)}
    pss = {name: figures.memory(process)["Pss"] / 1024 for name, process in processes.items()}
    cpu = {n: 100 * (figures.cpu(process) - before[n]) / wall for n, process in processes.items()}
    found |= {"pss_mib": round(sum(pss.values()), 1), "cpu_percent": round(sum(cpu.values()), 3)}
    found |= {f"pss_{name}_mib": round(value, 1) for name, value in pss.items()}
    found |= {f"cpu_{name}_percent": round(value, 3) for name, value in cpu.items()}
    return found | {"tick_ms": round(one.agent.status().tick_seconds * 1e3, 2)}


def _scrape(one: Rig) -> Figures:
    """Count the CPU of one scrape, over many: the clock's steps are of 10 ms."""
    before, begun = figures.cpu(one.processes[0]), time.monotonic()
    url = f"http://127.0.0.1:{one.spec.agent.port}/metrics"
    for _ in range(SCRAPES):
        with urllib.request.urlopen(url, timeout=10.0) as answer:
            size = len(answer.read())
    spent, wall = figures.cpu(one.processes[0]) - before, time.monotonic() - begun
    each = {"cpu_ms": spent / SCRAPES * 1e3, "wall_ms": wall / SCRAPES * 1e3, "bytes": size}
    return {f"scrape_{name}": round(value, 2) for name, value in each.items()}


def _profile(engines: dict[str, dict[str, object]], seconds: float) -> Figures:
    """Return shares of the main process's time by package or module, without its waiting."""
    with rig(engines, str(SETTLING), str(seconds), gpus=GPUS) as one:
        file, deadline = one.root / "profile", time.monotonic() + SETTLING + seconds + 20.0
        while not file.exists():
            if time.monotonic() > deadline:
                raise CannotMeasureError("the profile was not written")
            time.sleep(0.2)
        stats = marshal.loads(file.read_bytes())  # noqa: S302 - our own file
    spent: Counter[str] = Counter()
    for (path, _, function), (_, _, own, _, _) in stats.items():
        if "poll" not in function:  # where the loop waits
            spent[_module(path, function)] += own
    whole = sum(spent.values())
    shares: Figures = {"profiled_ms_per_s": round(whole / seconds * 1e3, 2)}
    return shares | {f"share_{name}": round(own / whole, 3) for name, own in spent.most_common(TOP)}


def _module(path: str, function: str) -> str:
    """Name our modules in full, of others the package."""
    parts = Path(path).with_suffix("").parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    if "agent" in parts:
        return ".".join(parts[len(parts) - parts[::-1].index("agent") - 1 :])
    if path == "~":  # written in C
        return "C_" + "_".join(word.strip("<>{}'") for word in function.split()[:3])
    return "asyncio" if "asyncio" in parts else parts[-1]


def _name(process: int) -> str:
    words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    module = words[words.index(b"-m") + 1].decode()
    return "agent" if module == "benchmarks.entry" else module.removeprefix("agent.nvml.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
