"""The health checks, and the one place that runs them.

To add one: `agent/checks/NAME.py` with a class that satisfies `base.Check`, its test, and a line
in REGISTRY.
"""

import asyncio
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from agent.checks.base import Check, unknown
from agent.errors import SourceError
from agent.model import CheckResult
from agent.sources import Sources
from agent.spec import HostSpec

REGISTRY = (  # FILE.CLASS; the file's name is the check's name
    "certificate.Certificate",
    "clock.Clock",
    "disk.Disk",
    "driver_answers.DriverAnswers",
    "driver_version.DriverVersion",
    "engine_answers.EngineAnswers",
    "engine_progress.EngineProgress",
    "fabric.Fabric",
    "files.Files",
    "gpu_count.GpuCount",
    "gpu_memory.GpuMemory",
    "gpu_recovery.GpuRecovery",
    "gpu_slowdown.GpuSlowdown",
    "gpu_state.GpuState",
    "kernel_log.KernelLog",
    "kernel_notes.KernelNotes",
    "nvlink.Nvlink",
    "pcie_link.PcieLink",
    "services.Services",
    "streams.Streams",
)

DEADLINE = 10.0  # seconds for one check's look


def made() -> tuple[Check[Any], ...]:
    """Return new checks, one a line; some keep in mind what they have read."""
    pairs = (line.split(".") for line in REGISTRY)
    return tuple(getattr(import_module(f"agent.checks.{file}"), kind)() for file, kind in pairs)


CHECKS = made()


async def run(
    sources: Sources, spec: HostSpec, checks: Iterable[Check[Any]] = CHECKS
) -> list[CheckResult]:
    """Run all checks at once, less those that `check_off` names.

    A check that fails or is late says UNKNOWN, and hurts no other.
    """
    wanted = [check for check in checks if check.name not in spec.check.off]
    results = await asyncio.gather(*(_one(check, sources, spec) for check in wanted))
    return [result for found in results for result in found]


async def _one(check: Check[Any], sources: Sources, spec: HostSpec) -> list[CheckResult]:
    try:
        async with asyncio.timeout(DEADLINE):
            reading = await check.read(sources)
        return check.judge(reading, spec)
    except TimeoutError:
        return [unknown(check.name, "node", f"no reading within {DEADLINE:.0f} s")]
    except SourceError as error:
        return [unknown(check.name, "node", str(error))]
    except Exception as error:
        return [unknown(check.name, "node", f"the check broke: {error!r}")]
