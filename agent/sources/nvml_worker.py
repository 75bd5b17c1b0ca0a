"""The child process that alone talks to the driver: one JSON line for each line it reads.

Return codes: NVML API reference, nvmlReturn_t. NOT_SUPPORTED means the board has no such thing.
"""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import pynvml

from agent.sources.nvml import Gpu, NvmlReading

T = TypeVar("T")

RECOVERY_ACTION = 230  # NVML_FI_DEV_GET_GPU_RECOVERY_ACTION; the binding has no call for it
ABSENT = frozenset({pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND})


def main() -> None:
    """Answer until the parent closes the pipe."""
    reader = Reader()
    for _ in sys.stdin.buffer:
        sys.stdout.buffer.write(msgspec.json.encode(reader.poll()) + b"\n")
        sys.stdout.buffer.flush()


class Reader:
    """Holds NVML open between polls."""

    def __init__(self) -> None:
        self._open = False
        self._names: dict[int, dict[str, Any]] = {}

    def poll(self) -> NvmlReading:
        """Look at every GPU; a GPU that fails keeps its place with its error."""
        try:
            if not self._open:
                pynvml.nvmlInit()
                self._open = True
            gpus = tuple(self._gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
            return NvmlReading(driver=pynvml.nvmlSystemGetDriverVersion(), gpus=gpus)
        except pynvml.NVMLError as error:
            return NvmlReading(error=error.value, error_text=str(error))

    def _gpu(self, index: int) -> Gpu:
        # A GPU that is lost does not tell its name any more: remember it from better days.
        names = self._names.get(index, {})
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            names = self._names.setdefault(index, _names(handle))
            return Gpu(index=index, **names, **_facts(handle))
        except pynvml.NVMLError as error:
            return Gpu(index=index, **names, error=error.value, error_text=str(error))


def _names(handle: Any) -> dict[str, Any]:
    return {
        "uuid": pynvml.nvmlDeviceGetUUID(handle),
        "pci": pynvml.nvmlDeviceGetPciInfo(handle).busId,
        "name": pynvml.nvmlDeviceGetName(handle),
    }


def _facts(handle: Any) -> dict[str, Any]:
    memory = _try(lambda: pynvml.nvmlDeviceGetMemoryInfo(handle))
    utilisation = _try(lambda: pynvml.nvmlDeviceGetUtilizationRates(handle))
    return {
        "memory_total": memory and memory.total,
        "memory_used": memory and memory.used,
        "temperature": _try(
            lambda: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)
        ),
        "power": _try(lambda: pynvml.nvmlDeviceGetPowerUsage(handle)),
        "utilisation": utilisation and utilisation.gpu,
        "recovery_action": _field(handle, RECOVERY_ACTION),
    }


def _field(handle: Any, field: int) -> int | None:
    values = _try(lambda: pynvml.nvmlDeviceGetFieldValues(handle, [field]))
    if not values or values[0].nvmlReturn != pynvml.NVML_SUCCESS:
        return None
    return int(values[0].value.uiVal)


def _try(call: Callable[[], T]) -> T | None:
    """Return None for what this board or driver does not have; let verdicts through."""
    try:
        return call()
    except pynvml.NVMLError as error:
        if error.value in ABSENT:
            return None
        raise


if __name__ == "__main__":
    main()
