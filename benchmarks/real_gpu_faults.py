"""A real fault on a real GPU, as the agent's own parts see it, and what watching costs.

For a machine with an NVIDIA GPU, nvcc and PyTorch, as root: `python3 benchmarks/real_gpu_faults.py`
(needs aiohttp, dbus-fast, msgspec, nvidia-ml-py, prometheus-client). A CUDA kernel writes to an
address that is not mapped (Xid 31), and to one out of range (Xid 13), once as the engine's process
and once as a stranger's; kernel log and NVML events must make one incident of each. Then a GPU
computes with and without polls at 1 Hz, in turn. Prints one JSON object at the end; exit code 0
when it could measure.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agent import checks
from agent.audit import Audit
from agent.casebook import Casebook
from agent.facts import Facts, branch
from agent.memory import Memory
from agent.model import EngineState, Phase, Status
from agent.sources import Edges, Sources
from agent.sources.gateway import GatewayReading
from agent.sources.host import HostReading
from agent.sources.kmsg import KernelLog
from agent.sources.nvml import NvmlSource
from agent.sources.nvml_events import XID, NvmlEvent, NvmlEvents
from agent.sources.pci import PciSource
from agent.spec import HostSpec
from agent.store import Store, boot_identity
from agent.xid.fault import KernelFault, from_event

VICTIM = """
#include <cstdio>
__global__ void wrong(int *p) { p[threadIdx.x] = 1; }
int main(int n, char **) {
  int *fine; cudaMalloc(&fine, 1 << 20); cudaDeviceSynchronize();
  puts("ready"); fflush(stdout); getchar();
  unsigned long long far = n > 1 ? 0x7000000000000000ull : (unsigned long long)fine + (1ull << 40);
  wrong<<<1, 32>>>((int *)far);
  puts(cudaGetErrorString(cudaDeviceSynchronize()));
}
"""
WORK = """
import time, torch
a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
for _ in range(20): a @ a
torch.cuda.synchronize(); begun, n = time.time(), 0
while time.time() - begun < 8:
    for _ in range(20): a @ a
    torch.cuda.synchronize(); n += 20
print(n / (time.time() - begun))
"""
SPEC = HostSpec.from_data(
    "real",
    {"engine_image": "x@sha256:" + "a" * 64, "engine_model": "a/b", "engine_revision": "a" * 40},
)
SAMPLES = 4


class Still:
    """A source that always shows the same."""

    def __init__(self, value: Any) -> None:
        self._value = value

    async def read(self) -> Any:
        """Look."""
        return self._value


class Rig:
    """The agent's sources and casebook, without units, engines or deeds."""

    def __init__(self, directory: Path) -> None:
        self.boot = boot_identity()
        self.lines: list[KernelFault] = []
        self.events: list[NvmlEvent] = []
        self.memory = Memory(Store(directory / "state.json"), self.boot)
        self.casebook = Casebook(SPEC, self.memory, Audit(directory / "audit.jsonl"))
        self.nvml = NvmlSource()
        self.watch = NvmlEvents(self._event)
        self.log = KernelLog(self.boot, self._told)
        edges = Edges(
            engines={},
            nvml=self.nvml,
            pci=PciSource(),
            host=Still(HostReading()),
            log=self.log,
            pids=Still({}),
            gateway=Still(GatewayReading()),
            driver=lambda: self.nvml.health,
        )
        self.sources = Sources(edges, patience=6.0)

    def _told(self, faults: Sequence[KernelFault]) -> None:
        self.lines += faults
        self.casebook.told(faults)

    def _event(self, event: NvmlEvent) -> None:
        self.events.append(event)
        if event.type == XID:
            self.casebook.told([from_event(event.pci, event.data, event.at, self.boot)])

    def know(self, uuid: str, pids: frozenset[int]) -> None:
        """Let an engine with these processes serve on the GPU."""
        reading = self.sources.nvml.require()
        state = EngineState(phase=Phase.SERVING, since=0.0, reason="R", message="m", gpus=(uuid,))
        self.memory.change(engines={"main": state})
        known = branch(reading.driver)
        self.casebook.learn(Facts(gpus=reading.gpus, branch=known, pids={"main": pids}))


async def fault(rig: Rig, program: Path, *how: str, ours: bool) -> dict[str, Any]:
    """Let a process do it, and tell what became of it."""
    before = {one.id for one in (*rig.memory.state.ledger.open, *rig.memory.state.ledger.closed)}
    rig.lines.clear()
    rig.events.clear()
    victim = await asyncio.create_subprocess_exec(
        str(program), *how, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert victim.stdin
    assert victim.stdout
    await victim.stdout.readline()
    await rig.sources.refresh()
    gpu = rig.sources.nvml.require().gpus[0]
    rig.know(gpu.uuid, frozenset({victim.pid if ours else 1}))
    begun = time.time()
    victim.stdin.write(b"\n")
    said = (await victim.communicate())[0].decode().strip()
    await asyncio.sleep(SPEC.agent.companion_window + 2.0)
    rig.casebook.judge()
    book = rig.memory.state.ledger
    found = [one for one in (*book.open, *book.closed) if one.id not in before]
    return {
        "said": said,
        "pid_seen_by_nvml": victim.pid in (gpu.processes or ()),
        "kernel_lines": [one.text[:100] for one in rig.lines],
        "kernel_ms": [round(1000 * (one.at - begun), 1) for one in rig.lines],
        "nvml_events": [(one.type, one.data) for one in rig.events],
        "nvml_ms": [round(1000 * (one.at - begun), 1) for one in rig.events],
        "incidents": len(found),
        "verdicts": [
            {
                "xid": one.xid,
                "ours": one.ours,
                "sources": sorted({told.source.value for told in one.evidence}),
                "remedy": one.verdict.remedy.value if one.verdict else None,
                "reason": one.verdict.reason if one.verdict else None,
            }
            for one in found
        ],
    }


async def work(rig: Rig, *, watched: bool) -> float:
    """Return matrix products a second of a GPU that computes, polled at 1 Hz or not."""
    process = await asyncio.create_subprocess_exec(
        "python3", "-c", WORK, stdout=asyncio.subprocess.PIPE
    )
    done = asyncio.create_task(process.communicate())
    while not done.done():
        if watched:
            await rig.sources.refresh()
        await asyncio.wait({done}, timeout=1.0)
    return float(done.result()[0])


async def measure(directory: Path) -> dict[str, Any]:
    """Do all of it."""
    source, program = directory / "victim.cu", directory / "victim"
    source.write_text(VICTIM)
    subprocess.run(["nvcc", "-o", str(program), str(source)], check=True)  # noqa: ASYNC221
    rig = Rig(directory)
    rig.memory.change(boot=rig.boot)
    rig.log.start()
    rig.watch.start()
    await asyncio.sleep(3.0)
    await rig.sources.refresh()
    results = await checks.run(rig.sources, SPEC)
    figures: dict[str, Any] = {
        "driver": rig.sources.nvml.require().driver,
        "gpu": rig.sources.nvml.require().gpus[0].name,
        "checks": {one.check: one.status.value for one in results if one.status is Status.OK},
        "checks_not_ok": [
            (one.check, one.subject, one.status.value, one.reason, one.message)
            for one in results
            if one.status is not Status.OK
        ],
        "xid_31_of_the_engine": await fault(rig, program, ours=True),
        "xid_31_of_a_stranger": await fault(rig, program, ours=False),
        "xid_13_of_the_engine": await fault(rig, program, "out of range", ours=True),
        "xid_13_of_a_stranger": await fault(rig, program, "out of range", ours=False),
    }
    plain, polled = [], []
    for _ in range(SAMPLES):
        plain.append(await work(rig, watched=False))
        polled.append(await work(rig, watched=True))
    figures["products_per_second_plain"] = [round(one, 2) for one in plain]
    figures["products_per_second_polled"] = [round(one, 2) for one in polled]
    figures["polled_over_plain"] = round(statistics.median(polled) / statistics.median(plain), 5)
    begun = time.monotonic()
    await rig.watch.close()
    await rig.nvml.close()
    figures["let_go_seconds"] = round(time.monotonic() - begun, 3)
    rig.log.close()
    return figures


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(asyncio.run(measure(Path(name)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
