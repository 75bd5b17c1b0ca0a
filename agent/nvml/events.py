"""Waits for the driver's events; one line of JSON for each. `python -m agent.nvml.events [PCI…]`.

    {"kind": "ready", "watched": [PCI, …]}     registered: what happened before must be polled
    {"kind": "alive"}                          every two seconds
    {"kind": "event", "pci": …, "type": …, "data": …, "gi": …, "ci": …, "at": …}

Arguments are the bus ids of the GPUs to watch; without any, all. Ends when the driver is gone or
replaced, or when nobody reads.
"""

import ctypes
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pynvml

from agent.nvml.codes import DRIVER, NOT_SUPPORTED, TIMEOUT

# nvml.h: double-bit ECC, Xid, page retirement and its failure, poison non-fatal and fatal, GPU
# unavailable, recovery action. Those that a driver does not support are left out.
WISHED = 0x2 | 0x8 | 0x400 | 0x800 | 0x1000 | 0x2000 | 0x4000 | 0x8000
SLICE_MS = 1000
ALIVE_EVERY = 2.0  # seconds
MISSING_EVERY = 60.0  # seconds until a GPU that could not be registered is tried again
PAUSES = (0.1, 10.0)  # seconds before the set is made again: first, and at most
NO_INSTANCE = 0xFFFFFFFF  # not a MIG instance


class Watch:
    """An event set, made again whenever it is spoilt."""

    def __init__(self, only: Sequence[str] = (), missing_every: float = MISSING_EVERY) -> None:
        self._only, self._missing_every = only, missing_every
        self._set: Any = None
        self._watched: dict[int | None, str] = {}  # by handle
        self._missing: list[int | str] = []
        self._told = 0.0

    def run(self) -> None:
        """Watch for ever; raises `NVMLError` when the driver itself fails."""
        pause = PAUSES[0]
        while True:
            begun = time.monotonic()
            self._set = pynvml.nvmlEventSetCreate()
            self._watched, self._missing = {}, list(self._gpus())
            self._register()
            self._wait()
            with suppress(pynvml.NVMLError):
                pynvml.nvmlEventSetFree(self._set)
            # A lost GPU spoils every wait at once: without a pause that would be a busy loop.
            pause = PAUSES[0] if time.monotonic() - begun > PAUSES[1] else min(pause * 2, PAUSES[1])
            self._rest(pause)

    def _gpus(self) -> Sequence[int | str]:
        return self._only or range(pynvml.nvmlDeviceGetCount())

    def _register(self) -> None:
        """Register every GPU that is missing; tell when there is a new one, or none at all."""
        tried, self._missing = self._missing, []
        for which in tried:
            try:
                gpu, place = _opened(which)
                types = pynvml.nvmlDeviceGetSupportedEventTypes(gpu) & WISHED
                pynvml.nvmlDeviceRegisterEvents(gpu, types, self._set)
                self._watched[_key(gpu)] = place
            except pynvml.NVMLError as error:
                if error.value in DRIVER:
                    raise
                if error.value != NOT_SUPPORTED:
                    self._missing.append(which)
        if len(self._missing) < len(tried) or not self._watched:
            self._tell({"kind": "ready", "watched": list(self._watched.values())})

    def _wait(self) -> None:
        """Return when the set is spoilt."""
        again = time.monotonic() + self._missing_every
        for code in self._slices():
            if code in DRIVER:
                raise pynvml.NVMLError(code)
            if code not in {pynvml.NVML_SUCCESS, TIMEOUT}:
                return
            if self._missing and time.monotonic() >= again:
                again = time.monotonic() + self._missing_every
                self._register()

    def _slices(self) -> Iterator[int]:
        """Wait a slice at a time, and give the code of each."""
        while True:
            self._alive()
            if not self._watched:
                self._rest(SLICE_MS / 1000)
                yield TIMEOUT
                continue
            try:
                self._tell(self._event(pynvml.nvmlEventSetWait_v2(self._set, SLICE_MS)))
                yield pynvml.NVML_SUCCESS
            except pynvml.NVMLError as error:
                yield error.value

    def _event(self, data: Any) -> dict[str, Any]:
        instances = (data.gpuInstanceId, data.computeInstanceId)
        gi, ci = (None if number == NO_INSTANCE else number for number in instances)
        return {
            "kind": "event",
            "pci": self._watched.get(_key(data.device), ""),
            "type": data.eventType,
            "data": data.eventData,
            "gi": gi,
            "ci": ci,
            "at": time.time(),
        }

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._alive()
            time.sleep(min(left, SLICE_MS / 1000))

    def _alive(self) -> None:
        if time.monotonic() - self._told >= ALIVE_EVERY:
            self._tell({"kind": "alive"})

    def _tell(self, message: dict[str, Any]) -> None:
        self._told = time.monotonic()
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def _opened(which: int | str) -> tuple[Any, str]:
    if isinstance(which, str):
        return pynvml.nvmlDeviceGetHandleByPciBusId(which), which
    gpu = pynvml.nvmlDeviceGetHandleByIndex(which)
    return gpu, pynvml.nvmlDeviceGetPciInfo(gpu).busId


def _key(gpu: Any) -> int | None:
    return ctypes.cast(gpu, ctypes.c_void_p).value


def main() -> int:
    """Watch; exit code 0 when nobody reads any more, else the NVML code."""
    try:
        pynvml.nvmlInit()
        Watch(sys.argv[1:]).run()
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except pynvml.NVMLError as error:
        print(f"NVML events: {error}", file=sys.stderr)
        return int(error.value) % 256
    return 0


if __name__ == "__main__":
    sys.exit(main())
