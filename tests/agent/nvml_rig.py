"""The agent's NVML children on the simulated driver library."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.sandbox.nvml.build import SMI, build
from tests.sandbox.nvml.client import environment
from tests.sandbox.nvml.state import NvmlState, write_state
from tests.sandbox.nvml_host import BUILT

PCI = ("00000000:06:00.0", "00000000:07:00.0")
# A worker whose clock is the request's.
CLOCKED = """
import json, sys
from agent.nvml.worker import Reader
now = [0.0]
reader = Reader(clock=lambda: now[0])
for line in sys.stdin:
    request = json.loads(line)
    now[0] = request.pop("now", now[0])
    print(json.dumps(reader.poll(request)), flush=True)
"""


def simulated(directory: Path, gpus: int = 2) -> NvmlState:
    return write_state(directory / "nvml.state", gpus, "gpu-1")


def command(state: NvmlState, *program: str) -> tuple[str, ...]:
    """A Python program that finds the simulated library; `env` becomes it."""
    found = environment(build(BUILT), state.path)
    names = ("LD_LIBRARY_PATH", "STOKER_NVML_STATE")
    return ("env", *(f"{name}={found[name]}" for name in names), sys.executable, *program)


def reset(state: NvmlState, gpu: int) -> bool:
    """What `nvidia-smi --gpu-reset` answers: it is refused while anybody holds the driver."""
    done = subprocess.run(
        [SMI, "--gpu-reset", "-i", str(gpu)],
        env=environment(build(BUILT), state.path),
        capture_output=True,
        timeout=20,
        check=False,
    )
    return done.returncode == 0


class Worker:
    """A real worker, asked line by line."""

    def __init__(self, state: NvmlState) -> None:
        self.process = subprocess.Popen(
            command(state, "-c", CLOCKED), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def poll(self, **request: Any) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def gpus(self, **request: Any) -> list[dict[str, Any]]:
        gpus: list[dict[str, Any]] = self.poll(**request)["gpus"]
        return gpus

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
