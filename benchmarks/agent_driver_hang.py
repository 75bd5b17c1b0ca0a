"""What a driver call that never returns does to the agent.

The real agent on this machine (`benchmarks.rig`) with 8 simulated GPUs. In each round a fresh agent
meets one GPU that stops answering (`nvmlDeviceGetFieldValues` does not return), at a random moment
of its second; in the last round more GPUs follow, and then the whole driver (`nvmlDeviceGetCount`).
The child that hangs is frozen besides (cgroup v1 freezer, where there is one), so that SIGKILL does
not end it, as in the uninterruptible sleep of a real driver. Measured: from the hang to the finding
`DriverHung` that names the GPU in `/v1/status`; the latency of `/readyz`, asked 100 times a second
all the while; and how many children are left.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent.snapshot import Snapshot
from agent.xid.bus import normal
from benchmarks import figures
from benchmarks.figures import Figures
from benchmarks.outlets import polling
from benchmarks.rig import Rig, rig
from tests.sandbox.nvml.state import gpu_pci

GPUS = 8
ENGINES = {"main": {"kind": "vllm", "gpus": GPUS}}
ON_GPU, ON_ALL = "nvmlDeviceGetFieldValues", "nvmlDeviceGetCount"
LIVE = 2  # children of an agent that is well: the worker and the event child
FREEZER = Path("/sys/fs/cgroup/freezer")
PERIOD = 0.01  # seconds between two requests
LONGEST = 600.0  # seconds of requests at most
QUIET = 4.0  # seconds of requests before the first hang
MORE = (4, 5)  # GPUs that hang too in the last round


def main(arguments: list[str]) -> int:
    """Measure, print, and say whether it could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="fresh agents (%(default)s)")
    parser.add_argument("--after", type=float, default=10.0, help="seconds of watching after all")
    return figures.run(parser, measure, arguments)


def measure(options: argparse.Namespace) -> Figures:
    """Let GPUs hang in fresh agents, and in the last one the driver."""
    found: Figures = {}
    flagged, before, during = [], list[float](), list[float]()
    for number in range(options.rounds):
        with rig(ENGINES, gpus=GPUS) as one, _freezer() as freezer:
            before += _latencies(one, QUIET)
            with polling(one.readyz, period=PERIOD) as (poller,):
                poller.begin(LONGEST)
                poller.begun()
                time.sleep(random.random())  # noqa: S311 - not in step with the ticks
                flagged.append(_hang(one, number % GPUS, freezer))
                if number == options.rounds - 1:
                    found = _more(one, number % GPUS, freezer, options.after)
                poller.stop()
                during += poller.seen().latencies
    found |= figures.spread("flagged", flagged, "s", 1.0)
    found |= figures.spread("http_before", before) | figures.spread("http", during)
    return found | {"requests": len(during), "rounds": options.rounds}


def _latencies(one: Rig, seconds: float) -> list[float]:
    with polling(one.readyz, period=PERIOD) as (poller,):
        poller.begin(seconds)
        poller.begun()
        return poller.seen().latencies


def _hang(one: Rig, gpu: int, freezer: Path | None) -> float:
    """Let a GPU hang; return the seconds until the finding names it."""
    begun = time.monotonic()
    one.nvml.hang(ON_GPU, gpu, uninterruptible=True)
    one.wait("a poll lasts", lambda status: bool(status.gpus_problem), 10.0)
    if freezer is not None:
        worker = next(child for child in one.processes if _works(child))
        (freezer / "cgroup.procs").write_text(str(worker))
        (freezer / "freezer.state").write_text("FROZEN")
    bus = normal(gpu_pci(gpu))
    one.wait("the hang is told", lambda status: bus in _told(status), 30.0)
    return time.monotonic() - begun


def _more(one: Rig, first: int, freezer: Path | None, seconds: float) -> Figures:
    """Let two more GPUs hang, then the driver, and count what is left.

    Each strikes right after the one before was told, so a fresh child in its first poll, which is
    given more time: the worst moment.
    """
    hung = [gpu for gpu in MORE if gpu != first]
    again = [_hang(one, gpu, None) for gpu in hung]
    begun = time.monotonic()
    one.nvml.hang(ON_ALL, None, uninterruptible=True)
    one.wait("the driver's hang is told", lambda status: "call has not" in _told(status), 30.0)
    whole = time.monotonic() - begun
    most = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, len(one.processes) - 1)
        time.sleep(0.1)
    frozen = 0 if freezer is None else len((freezer / "cgroup.procs").read_text().split())
    return {
        "next_gpu_flagged_max_s": round(max(again), 3),
        "whole_driver_flagged_s": round(whole, 3),
        "children_most": most,
        "children_beyond_kill": frozen,
        "abandoned_per_gpu_hung": max(0, most - LIVE) / (1 + len(hung)),
        "engine_phase": one.agent.status().phase.value,
    }


def _told(status: Snapshot) -> str:
    return "; ".join(one.message for one in status.conditions if one.reason == "DriverHung")


def _works(process: int) -> bool:
    return b"agent.nvml.worker" in Path(f"/proc/{process}/cmdline").read_bytes()


@contextmanager
def _freezer() -> Iterator[Path | None]:
    """Give a control group to freeze in, thawed in the end; None where there is no freezer."""
    group = FREEZER / f"stoker-bench-{os.getpid()}"
    try:
        group.mkdir()
    except OSError:
        yield None
        return
    try:
        yield group
    finally:
        (group / "freezer.state").write_text("THAWED")
        for _ in range(50):  # who was killed while frozen ends now
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
