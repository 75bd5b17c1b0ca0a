"""The GPUs of this host for its engines: which engine gets which, and who uses them.

NVML is asked in a child process (`python -m agent.gpus`): a driver call can hang for ever, and a
process that hangs in the kernel cannot be waited for.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from agent.errors import SourceError

CHILD = (sys.executable, "-m", "agent.gpus")


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU that answers; `processes` are the process ids (of the host) that compute on it.

    `memory` is all that it has, in bytes; `capability` the compute capability, major × 10 + minor.
    `split`: in MIG mode, so it cannot be used as a whole.
    """

    uuid: str
    bus: str
    name: str = ""
    capability: int | None = None
    memory: int | None = None
    processes: tuple[int, ...] = ()
    split: bool = False


def assign(
    gpus: Sequence[Gpu], wanted: Mapping[str, int], held: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Give each engine its GPUs, in the order of their PCI bus ids; engines in order of name.

    What a running engine holds (`held`) it keeps, whatever else changes. An engine for which
    not enough is left gets fewer than it wants: the caller judges.
    """
    taken = {uuid for uuids in held.values() for uuid in uuids}
    free = [gpu.uuid for gpu in sorted(gpus, key=lambda gpu: gpu.bus) if gpu.uuid not in taken]
    given = dict(held)
    for engine in sorted(wanted.keys() - held.keys()):
        given[engine] = tuple(free[: wanted[engine]])
        free = free[wanted[engine] :]
    return given


def read(deadline: float = 20.0, child: Sequence[str] = CHILD) -> tuple[Gpu, ...]:
    """Ask NVML in a child for every GPU that answers; `SourceError` when it fails or hangs."""
    process = subprocess.Popen(
        child,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    try:
        out, error = process.communicate(timeout=deadline)
    except subprocess.TimeoutExpired:
        process.kill()  # and no wait: in uninterruptible sleep it would not end
        raise SourceError(
            f"NVML does not answer within {deadline:.0f} s: the driver hangs"
        ) from None
    if process.returncode != 0:
        last = error.decode(errors="replace").strip().rpartition("\n")[2]
        raise SourceError(f"NVML: {last or f'the child ended with {process.returncode}'}")
    return msgspec.json.decode(out, type=tuple[Gpu, ...])


def ask_nvml() -> tuple[Gpu, ...]:
    """Read the GPUs through NVML; those that are lost are left out. May hang."""
    import pynvml  # noqa: PLC0415 - only in the child

    pynvml.nvmlInit()
    found = []
    for index in range(pynvml.nvmlDeviceGetCount()):
        with suppress(pynvml.NVMLError):
            found.append(_gpu(pynvml.nvmlDeviceGetHandleByIndex(index)))
    pynvml.nvmlShutdown()
    return tuple(found)


def _gpu(handle: object) -> Gpu:
    import pynvml  # noqa: PLC0415 - only in the child

    processes = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
    memory = _if_told(pynvml.nvmlDeviceGetMemoryInfo, handle)
    capability = _if_told(pynvml.nvmlDeviceGetCudaComputeCapability, handle)
    return Gpu(
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        bus=pynvml.nvmlDeviceGetPciInfo(handle).busId.lower(),
        name=_if_told(pynvml.nvmlDeviceGetName, handle) or "",
        capability=capability and capability[0] * 10 + capability[1],
        memory=memory and int(memory.total),
        processes=tuple(process.pid for process in processes),
        split=bool((_if_told(pynvml.nvmlDeviceGetMigMode, handle) or (0,))[0]),
    )


def _if_told(ask: Callable[[object], Any], handle: object) -> Any:
    import pynvml  # noqa: PLC0415 - only in the child

    with suppress(pynvml.NVMLError):
        return ask(handle)
    return None


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(ask_nvml()))
