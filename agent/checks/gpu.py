"""What all checks of GPUs share: who is judged, and whose faults stay because nobody could look."""

from collections.abc import Callable

from agent.checks.base import unknown
from agent.model import CheckResult, Status
from agent.sources.gpu import Gpu, NvmlReading
from agent.spec import HostSpec


def each(
    check: str,
    reading: NvmlReading,
    spec: HostSpec,
    one: Callable[[Gpu], CheckResult],
    prefix: str = "gpu",
) -> list[CheckResult]:
    """Judge each GPU by `one`. What was read of a GPU counts; what was not read clears nothing."""
    if spec.driver.gpu_count == 0:
        return []
    if reading.error is not None:
        return [unknown(check, "node", f"NVML: {reading.error_text}")]
    found = []
    for gpu in reading.gpus:
        result = one(gpu)
        if result.status is Status.OK and unread(gpu):
            result = unknown(check, subject(gpu, prefix), f"GPU {gpu.index}: {gpu.error_text}")
        found.append(result)
    return found + nameless(check, reading, spec)


def nameless(check: str, reading: NvmlReading, spec: HostSpec) -> list[CheckResult]:
    """Return UNKNOWN when fewer GPUs tell their name than there are to be.

    A GPU that does not tell its name, or is not even listed, may be the one that was found faulty
    under its name: that it is not seen any more does not clear its fault.
    """
    named = sum(1 for gpu in reading.gpus if gpu.uuid)
    if named >= spec.driver.gpu_count:
        return []
    return [unknown(check, "node", f"{named} of {spec.driver.gpu_count} GPUs tell their UUID")]


def subject(gpu: Gpu, prefix: str = "gpu") -> str:
    """Return what a result about the GPU is about: by its index while it does not tell its name."""
    return f"{prefix}:{gpu.uuid or gpu.index}"


def unread(gpu: Gpu) -> bool:
    """Say whether the GPU was read in part at most; one that was not called has a text only."""
    return gpu.error is not None or bool(gpu.error_text)
