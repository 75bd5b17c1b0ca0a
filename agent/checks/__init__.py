"""The health checks, and the one place that runs them.

To add one: `agent/checks/NAME.py` with a class that satisfies `base.Check`, its test, and a line
in CHECKS.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from agent.checks.base import Check, unknown
from agent.checks.engine_answers import EngineAnswers
from agent.checks.gpu_count import GpuCount
from agent.checks.gpu_state import GpuState
from agent.errors import SourceError
from agent.model import CheckResult
from agent.sources import Sources
from agent.spec import HostSpec

CHECKS: tuple[Check[Any], ...] = (
    EngineAnswers(),
    GpuCount(),
    GpuState(),
)

DEADLINE = 10.0  # seconds for one check's look


async def run(
    sources: Sources, spec: HostSpec, checks: Iterable[Check[Any]] = CHECKS
) -> list[CheckResult]:
    """Run all checks at once; one that fails or is late says UNKNOWN, and hurts no other."""
    results = await asyncio.gather(*(_one(check, sources, spec) for check in checks))
    return [result for found in results for result in found]


async def _one(check: Check[Any], sources: Sources, spec: HostSpec) -> list[CheckResult]:
    try:
        return check.judge(await asyncio.wait_for(check.read(sources), DEADLINE), spec)
    except TimeoutError:
        return [unknown(check.name, "node", f"no reading within {DEADLINE:.0f} s")]
    except SourceError as error:
        return [unknown(check.name, "node", str(error))]
    except Exception as error:
        return [unknown(check.name, "node", f"the check broke: {error!r}")]
