"""Batches of nvmlDeviceGetFieldValues: many values for one call, each with a code of its own."""

import ctypes
from collections.abc import Sequence
from typing import Any

import pynvml

from agent.nvml.codes import UNAVAILABLE
from agent.nvml.look import Look

MOST = 30  # values a call; the driver left entries of longer batches as it got them
# A driver leaves some entries untouched and still calls the batch a success (an H100 with driver
# 580: field 147). So each entry goes in with a code and a type that no driver gives.
_UNTOUCHED_CODE, _UNTOUCHED_TYPE = 0x7FFF, 0xFF

# nvml.h, nvmlValueType_t: double, unsigned int, long, long long, signed long long, int, ushort.
_MEMBERS = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")

Field = tuple[int, int]  # number, scope (a link; 0 = none)


class Batch:
    """The same fields, asked again and again of one GPU."""

    def __init__(self, wanted: Sequence[Field]) -> None:
        self._parts = [_part(wanted[i : i + MOST]) for i in range(0, len(wanted), MOST)]

    def read(self, handle: Any, look: Look, found: dict[Field, int]) -> dict[Field, int]:
        """Add the values that the driver filled in to `found`, and return it.

        Raises as `Look.ask` does, and then leaves in `found` what came with the verdict.
        """
        for blank, entries in self._parts:
            ctypes.memmove(entries, blank, ctypes.sizeof(entries))
            if _call(handle, entries, look):
                _take(entries, found, look)
        return found


def _part(wanted: Sequence[Field]) -> tuple[bytes, Any]:
    entries = (pynvml.c_nvmlFieldValue_t * len(wanted))()
    for entry, (number, scope) in zip(entries, wanted, strict=True):
        entry.fieldId, entry.scopeId = number, scope
        entry.nvmlReturn, entry.valueType = _UNTOUCHED_CODE, _UNTOUCHED_TYPE
    return bytes(entries), entries


def _call(handle: Any, entries: Any, look: Look) -> bool:
    function = getattr(pynvml.nvmlLib, "nvmlDeviceGetFieldValues", None)
    if function is None:
        return False
    code = function(handle, ctypes.c_int(len(entries)), entries)
    if code != pynvml.NVML_SUCCESS:
        look.heed(code, "nvmlDeviceGetFieldValues")
    return bool(code == pynvml.NVML_SUCCESS)


def _take(entries: Any, found: dict[Field, int], look: Look) -> None:
    refused = []
    for entry in entries:
        code = entry.nvmlReturn
        if code == pynvml.NVML_SUCCESS and entry.valueType < len(_MEMBERS):
            value = getattr(entry.value, _MEMBERS[entry.valueType])
            found[entry.fieldId, entry.scopeId] = int(value)
        elif code not in UNAVAILABLE and code not in {pynvml.NVML_SUCCESS, _UNTOUCHED_CODE}:
            refused.append((code, f"field {entry.fieldId}"))
    # Last: a verdict ends the look, and must not cost the values that came with it.
    for code, name in refused:
        look.heed(code, name)
