"""One GPU's place in the readings: it keeps it, and its names, whatever becomes of the GPU."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pynvml

from agent.nvml.codes import DRIVER, GPU_IS_LOST, NOT_FOUND, VERDICTS
from agent.nvml.facts import Facts, capability
from agent.nvml.look import Look

SLOW_EVERY = 10.0  # seconds
LOST_EVERY = 60.0  # seconds; a GPU that fell off the bus is not called in a tight loop

Names = dict[str, str]


class Seat:
    """What is remembered of one GPU. `names` are uuid, pci and name, where known from before."""

    def __init__(self, names: Names | None = None) -> None:
        self.names: Names = names or {}
        self._gpu: Any = None
        self._capability: int | None = None
        self._facts = Facts()
        self._slow, self._slow_at = Look(), float("-inf")
        self._lost_until = float("-inf")

    def key(self) -> str:
        """Return the place on the bus in one spelling; "" if never told."""
        return bus(self.names.get("pci", ""))

    def is_there(self) -> bool:
        """Return whether the driver still knows a GPU at this place, well or not."""
        try:
            pynvml.nvmlDeviceGetHandleByPciBusId(self.names.get("pci", ""))
        except pynvml.NVMLError as error:
            return bool(error.value != NOT_FOUND)
        return True

    def remembered(self, index: int, error: int | None, text: str) -> dict[str, Any]:
        """Return the GPU without a call: its names, and why it was not looked at."""
        return {"index": index, **self.names, "error": error, "error_text": text}

    def look(self, index: int, now: float, *, fresh: bool) -> dict[str, Any]:
        """Look at the GPU; slow facts are up to `SLOW_EVERY` old, unless `fresh`.

        Raises `NVMLError` only for what concerns the whole driver.
        """
        if now < self._lost_until:
            return self.remembered(index, GPU_IS_LOST, str(pynvml.NVMLError(GPU_IS_LOST)))
        look = Look()
        try:
            self._take(index)
            self._facts.fast(self._gpu, look)
            # Not among the first calls: a GPU that must be reset does not tell its name.
            self.names["name"] = self.names["name"] or pynvml.nvmlDeviceGetName(self._gpu)
            self._capability = self._capability or capability(self._gpu, look)
            if fresh or now >= self._slow_at:
                self._look_slowly(now)
        except pynvml.NVMLError as error:
            return self._failed(index, error, look, now)
        look.facts["capability"] = self._capability
        odd = look if look.error is not None else self._slow
        told = {"error": odd.error, "error_text": odd.text}
        return {"index": index, **self.names, **look.facts, **self._slow.facts, **told}

    def _failed(
        self, index: int, error: pynvml.NVMLError, look: Look, now: float
    ) -> dict[str, Any]:
        if error.value in DRIVER:
            raise error
        self._slow_at = float("-inf")
        if error.value == GPU_IS_LOST:
            self._gpu, self._lost_until = None, now + LOST_EVERY
        told = self.remembered(index, error.value, str(error))
        if error.value in VERDICTS:
            told["recovery_action"] = look.facts.get("recovery_action")
        return told

    def _take(self, index: int) -> None:
        """Open the GPU by its place on the bus: its number changes when another one goes."""
        if self._gpu is not None:
            return
        gpu = None
        if self.names:
            with suppress(pynvml.NVMLError_NotFound):
                gpu = pynvml.nvmlDeviceGetHandleByPciBusId(self.names["pci"])
        if gpu is None:
            gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
        self.names = {
            "uuid": pynvml.nvmlDeviceGetUUID(gpu),
            "pci": pynvml.nvmlDeviceGetPciInfo(gpu).busId,
            "name": self.names.get("name", ""),
        }
        self._gpu, self._capability = gpu, None

    def _look_slowly(self, now: float) -> None:
        look = Look()
        self._facts.slow(self._gpu, look)
        self._slow, self._slow_at = look, now + SLOW_EVERY


def bus(text: str) -> str:
    """Return `domain:bus:device` of any spelling (0000:3b:00, 00000000:3B:00.0) in one."""
    domain, _, rest = text.lower().partition(":")
    return f"{domain.zfill(8)}:{rest.partition('.')[0]}" if rest else ""


def named(known: Mapping[str, str]) -> Seat:
    """Return the seat of a GPU that a former worker has seen; perhaps it never told its name."""
    names = {name: known[name] for name in ("uuid", "pci", "name")}
    return Seat(names if names["pci"] else None)
