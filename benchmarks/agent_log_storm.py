"""Does the first fatal line get through when the kernel log storms?

The real agent on this machine (`benchmarks.rig`) with 8 simulated GPUs. 10,000 lines a second are
written to what stands in for /dev/kmsg: half of them noise, half Xid 31 of other people's processes
on every GPU. Every other second one of them is a fatal line (Xid 48), at a random place. Measured:
whether each of them was drained for, from before its write to `/readyz` 503 (polled at 1 kHz); what
the storm adds to the agent's memory (Rss and Pss of all its processes); the CPU it takes; and how
often the pipe was full, which on a real kernel would have overwritten the oldest lines.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import figures
from benchmarks.figures import CannotMeasureError, Figures
from benchmarks.outlets import Poller, polling
from benchmarks.rig import Rig, rig
from tests.sandbox import kmsg
from tests.sandbox.nvml.state import gpu_pci

GPUS, XID = 8, 48
SETTLING = 5.0  # seconds
LIMIT = 10.0  # seconds after which a fatal line counts as lost
BURST = 0.01  # seconds between two bursts of lines
EVERY = 2.0  # seconds between two fatal lines
FATAL = "DBE (double bit error) has been detected on GPU"
NOISE = "docker0: port 1(veth3a1c9d2) entered forwarding state"
FOREIGN = "Ch 0000001e, intr 10000000. MMU Fault: ENGINE GRAPHICS GPCCLIENT_T1_0 faulted @ 0x7f_a1"


class Storm:
    """Writes lines from a thread, in bursts; a fatal line goes into the next burst when asked."""

    def __init__(self, one: Rig, rate: int) -> None:
        self._log, self._size = one.log, round(rate * BURST)
        self._fatal = ""
        self._struck, self._over = threading.Event(), threading.Event()
        self._at = 0.0
        self.written = self.full = 0
        self.seconds = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def begin(self) -> None:
        """Let it storm."""
        self._thread.start()

    def end(self) -> None:
        """Let it be calm."""
        self._over.set()
        self._thread.join()

    def strike(self, text: str) -> float:
        """Have one more line among the next ones; return the instant before its write."""
        self._struck.clear()
        self._fatal = text
        if not self._struck.wait(20.0):
            raise CannotMeasureError("the log takes no more lines: the agent does not read them")
        return self._at

    def _run(self) -> None:
        begun = due = time.monotonic()
        first = int(begun * 1e6)  # as `kmsg.record` numbers, and no two the same
        while not self._over.is_set():
            texts = [_text(number) for number in range(self._size)]
            fatal, self._fatal = self._fatal, ""
            if fatal:
                texts.insert(random.randrange(self._size), fatal)  # noqa: S311 - just anywhere
            stamp = int(time.monotonic() * 1e6)
            records = (
                f"3,{first + self.written + number},{stamp},-;{text}\n"
                for number, text in enumerate(texts)
            )
            self.written += len(texts)
            self._write("".join(records).encode(), struck=bool(fatal))
            due += BURST
            time.sleep(max(0.0, due - time.monotonic()))
        self.seconds = time.monotonic() - begun

    def _write(self, data: bytes, *, struck: bool) -> None:
        if struck:
            self._at = time.monotonic()
        while data:
            try:
                data = data[os.write(self._log, data) :]
            except BlockingIOError:
                self.full += 1
                select.select([], [self._log], [], 1.0)
        if struck:
            self._struck.set()


def main(arguments: list[str]) -> int:
    """Measure, print, and say whether it could be measured."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of storm (%(default)s)")
    parser.add_argument("--rate", type=int, default=10_000, help="lines a second (%(default)s)")
    return figures.run(parser, measure, arguments)


def measure(options: argparse.Namespace) -> Figures:
    """Storm, and strike while it lasts."""
    with rig({"main": {"kind": "vllm", "gpus": GPUS}}, gpus=GPUS) as one:
        time.sleep(SETTLING)
        before, cpu = _memory(one), figures.cpu(one.processes[0])
        storm, begun = Storm(one, options.rate), time.monotonic()
        storm.begin()
        try:
            with polling(one.readyz) as (poller,):
                latencies, lost, peak = _strikes(one, storm, poller, begun + options.seconds)
        finally:
            storm.end()
        cpu = (figures.cpu(one.processes[0]) - cpu) / storm.seconds
        time.sleep(SETTLING)
        after, status = _memory(one), one.agent.status()
    found: Figures = {"seconds": round(storm.seconds, 1), "lines": storm.written}
    found |= {"lines_per_second": round(storm.written / storm.seconds), "pipe_full": storm.full}
    found |= {"fatal_lines": len(latencies) + lost, "fatal_lines_lost": lost}
    found |= figures.spread("drain", latencies) | {"agent_cpu_percent": round(100 * cpu, 1)}
    for name, value in before.items():
        key = name.lower()
        found |= {f"{key}_before_mib": round(value, 2)}
        found |= {f"{key}_growth_peak_mib": round(peak[name] - value, 2)}
        found |= {f"{key}_growth_after_mib": round(after[name] - value, 2)}
    return found | {"incidents_open": len(status.incidents), "log_gaps": status.log_gaps}


def _strikes(
    one: Rig, storm: Storm, poller: Poller, end: float
) -> tuple[list[float], int, dict[str, float]]:
    """Return the latencies, how many fatal lines led to nothing, and the most memory."""
    latencies, lost, number, peak = [], 0, 0, _memory(one)
    while time.monotonic() < end:
        time.sleep(EVERY)
        peak = {name: max(value, peak[name]) for name, value in _memory(one).items()}
        poller.begin(LIMIT)
        poller.begun()
        at = storm.strike(kmsg.xid(gpu_pci(number % GPUS), XID, FATAL))
        refused = poller.seen().refused
        if refused is None:
            lost += 1
        else:
            latencies.append(refused - at)
        _acknowledge(one)
        number += 1
    return latencies, lost, peak


def _acknowledge(one: Rig) -> None:
    """Close the incidents of the fatal lines, not those of the storm, and wait for traffic."""
    for incident in one.agent.status().incidents:
        if incident.xid == XID:
            one.agent.acknowledge(incident.id, "benchmark", "injected")
    one.wait_until_serving()


def _memory(one: Rig) -> dict[str, float]:
    """Sum up the memory of all processes of the agent, in MiB."""
    each = [figures.memory(process) for process in one.processes]
    return {name: sum(one[name] for one in each) / 1024 for name in ("Rss", "Pss")}


def _text(number: int) -> str:
    if number % 2:
        return NOISE
    return kmsg.xid(gpu_pci(number // 2 % GPUS), 31, FOREIGN, 90000 + number % 7)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
