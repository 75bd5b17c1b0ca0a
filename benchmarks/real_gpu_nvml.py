"""What a real driver answers to the agent's NVML children, and what asking costs.

For a machine with an NVIDIA GPU: `pip install nvidia-ml-py msgspec`, then
`python3 benchmarks/real_gpu_nvml.py [SECONDS]`. Prints one JSON object: for every fact of a poll
the answer, for every call its code and time, for every field number whether the driver filled it,
masks of the event set, and CPU, memory and wall time of real children polled at 1 Hz (default for
30 s). Ends with 0 when it could measure.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pynvml

from agent.nvml.events import WISHED
from agent.nvml.facts import Facts
from agent.nvml.fields import MOST, Batch
from agent.nvml.look import Look

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 20
LAST_FIELD = 307
NVLINK_FIELDS = frozenset({146, *range(161, 169), *range(200, 226), *range(235, 251)})


class TimedLook(Look):
    """Remembers the code and the time of each call."""

    def __init__(self, calls: dict[str, list[tuple[float, int]]]) -> None:
        super().__init__()
        self._calls = calls

    def ask(self, call: str, *arguments: Any) -> Any:
        """Make the call, and note how long it took."""
        function, code = getattr(pynvml, call, None), 0
        begun = time.perf_counter()
        try:
            return function(*arguments) if function else None
        except pynvml.NVMLError as error:
            code = error.value
            self.heed(code, call)
            return None
        finally:
            spent = time.perf_counter() - begun
            self._calls.setdefault(call, []).append((spent, code if function else -1))


def main() -> int:
    """Measure, print, and say whether it could be measured."""
    seconds = int(sys.argv[1]) if sys.argv[1:] else 30
    try:
        pynvml.nvmlInit()
        handles = [
            pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())
        ]
    except pynvml.NVMLError as error:
        print(json.dumps({"error": error.value, "error_text": str(error)}))
        return 1
    figures = {
        "driver": pynvml.nvmlSystemGetDriverVersion(),
        "nvml": pynvml.nvmlSystemGetNVMLVersion(),
        "gpus": [gpu(handle) for handle in handles],
        "events": [events(handle) for handle in handles],
    }
    pynvml.nvmlShutdown()
    print(json.dumps({**figures, "children": children(seconds)}))
    return 0


def gpu(handle: Any) -> dict[str, Any]:
    """Every fact of a poll with the calls behind it, and every field number there is."""
    calls: dict[str, list[tuple[float, int]]] = {}
    facts, look = Facts(), TimedLook(calls)
    fast, slow = [], []
    for _ in range(ROUNDS):
        fast.append(spent(lambda: facts.fast(handle, look)))
        slow.append(spent(lambda: facts.slow(handle, look)))
    return {
        "name": pynvml.nvmlDeviceGetName(handle),
        "facts": look.facts,
        "error": look.error,
        "calls": {name: summary(answers) for name, answers in calls.items()},
        "fast_us": figures_us(fast),
        "slow_us": figures_us(slow),
        "fields": fields(handle),
        "links_by_field": link_fields(handle),
    }


def fields(handle: Any) -> dict[str, Any]:
    """Each number in a batch: its value, else the code the driver gave ("untouched" if none)."""
    told: dict[str, Any] = {}
    for first in range(1, LAST_FIELD + 1, MOST):
        numbers = range(first, min(first + MOST, LAST_FIELD + 1))
        found = Batch([(number, 0) for number in numbers]).read(handle, Look(), {})
        told |= {str(number): found.get((number, 0), "no value") for number in numbers}
    silent = [int(n) for n, value in told.items() if value == "no value"]
    for number in silent:
        entry = (pynvml.c_nvmlFieldValue_t * 1)()
        entry[0].fieldId, entry[0].nvmlReturn, entry[0].valueType = number, 0x7FFF, 0xFF
        code = pynvml.nvmlLib.nvmlDeviceGetFieldValues(handle, 1, entry)
        untouched = entry[0].nvmlReturn == 0x7FFF
        told[str(number)] = f"call {code}, " + (
            "untouched" if untouched else f"code {entry[0].nvmlReturn} type {entry[0].valueType}"
        )
    return told


def link_fields(handle: Any) -> dict[str, int]:
    """The fields of links 0 and 1, by number and link."""
    wanted = [(number, link) for number in sorted(NVLINK_FIELDS) for link in (0, 1)]
    found = Batch(wanted).read(handle, Look(), {})
    return {f"{number}/{link}": value for (number, link), value in found.items()}


def events(handle: Any) -> dict[str, Any]:
    """What may be registered, and what registering what we wish answers."""
    supported = pynvml.nvmlDeviceGetSupportedEventTypes(handle)
    made = pynvml.nvmlEventSetCreate()
    code = 0
    begun = time.perf_counter()
    try:
        pynvml.nvmlDeviceRegisterEvents(handle, supported & WISHED, made)
    except pynvml.NVMLError as error:
        code = error.value
    register = time.perf_counter() - begun
    begun = time.perf_counter()
    try:
        waited = pynvml.nvmlEventSetWait_v2(made, 200).eventType
    except pynvml.NVMLError as error:
        waited = f"code {error.value}"
    return {
        "supported": hex(supported),
        "registered": hex(supported & WISHED),
        "code": code,
        "register_us": round(register * 1e6),
        "wait_200_ms": [waited, round((time.perf_counter() - begun) * 1e3, 1)],
        "missing_calls": [name for name in NEWER if not callable(getattr(pynvml, name, None))],
    }


NEWER = ("nvmlEventSetWait_v3", "nvmlSystemEventSetCreate", "nvmlDeviceGetRepairStatus")


def children(seconds: int) -> dict[str, Any]:
    """Real children: the worker polled once a second, the event child waiting beside it."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "agent.nvml.worker"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    waiter = subprocess.Popen(
        [sys.executable, "-m", "agent.nvml.events"], cwd=ROOT, stdout=subprocess.PIPE
    )
    walls = [spent(lambda: poll(worker)) for _ in range(2)]
    before = [cpu(worker.pid), cpu(waiter.pid)]
    begun, answer = time.perf_counter(), b""
    polls = []
    for number in range(seconds):
        time.sleep(max(0.0, begun + number - time.perf_counter()))
        once = time.perf_counter()
        answer = poll(worker)
        polls.append(time.perf_counter() - once)
    wall = time.perf_counter() - begun
    after = [cpu(worker.pid), cpu(waiter.pid)]
    figures = {
        "first_poll_ms": round(walls[0] * 1e3, 1),
        "poll_us": figures_us(polls),
        "answer_bytes": len(answer),
        "worker_cpu_percent": round(100 * (after[0] - before[0]) / wall, 3),
        "events_cpu_percent": round(100 * (after[1] - before[1]) / wall, 3),
        "worker_pss_kb": pss(worker.pid),
        "events_pss_kb": pss(waiter.pid),
    }
    for child in (worker, waiter):
        child.kill()
        child.communicate()
    return figures


def poll(worker: subprocess.Popen[bytes]) -> bytes:
    """Ask once; b"" when the worker has ended."""
    if worker.stdin is None or worker.stdout is None:
        return b""
    worker.stdin.write(b"{}\n")
    worker.stdin.flush()
    return worker.stdout.readline()


def spent(act: Any) -> float:
    """Seconds that `act` takes."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def summary(answers: list[tuple[float, int]]) -> dict[str, Any]:
    """The codes of a call (-1: not in the binding) and its times."""
    codes = sorted({code for _, code in answers})
    return {"codes": codes, **figures_us([seconds for seconds, _ in answers])}


def figures_us(seconds: list[float]) -> dict[str, float]:
    """First, median and greatest, in microseconds."""
    us = [one * 1e6 for one in seconds]
    return {"first": round(us[0]), "median": round(statistics.median(us), 1), "max": round(max(us))}


def cpu(process: int) -> float:
    """Seconds of CPU that a process has used, its threads included."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def pss(process: int) -> int:
    """Proportional set size in KiB."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


if __name__ == "__main__":
    sys.exit(main())
