"""A pretended host for tests of the NVML simulator: its state and a process that uses NVML."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.nvml.build import SMI, build
from tests.sandbox.nvml.client import NvmlProcess, environment
from tests.sandbox.nvml.state import NvmlState, Value, write_state

BUILT = Path(__file__).parents[2] / "build" / "nvml"


@dataclass(frozen=True)
class NvmlHost:
    state: NvmlState
    nvml: NvmlProcess

    def smi(self, *options: str) -> tuple[int, str]:
        """Exit code and output of nvidia-smi, which says nothing on standard error."""
        run = self.run_smi(*options)
        assert run.stderr == ""
        return run.returncode, run.stdout

    def run_smi(self, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SMI, *options],
            env=environment(build(BUILT), self.state.path),
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )


@contextmanager
def nvml_host(
    directory: Path, *, started: bool = True, gpus: int = 2, **overrides: Value
) -> Iterator[NvmlHost]:
    state = write_state(directory / "nvml.state", gpus, "gpu-1", **overrides)
    nvml = NvmlProcess(build(BUILT), state.path)
    try:
        if started:
            nvml.call("nvmlInit")
        yield NvmlHost(state, nvml)
    finally:
        nvml.close()
