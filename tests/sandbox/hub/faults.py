"""Faults that a test asks for: which answers go wrong, how, and how often."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

STATUS, SILENT, TRUNCATE, SLOW, RESET = "status", "silent", "truncate", "slow", "reset"
KINDS = (STATUS, SILENT, TRUNCATE, SLOW, RESET)
BODY_KINDS = (TRUNCATE, SLOW, RESET)


@dataclass(frozen=True)
class Fault:
    """One fault. `status` answers at once, `silent` never; the others spoil a file's GET.

    `truncate` ends the connection in order half way, `reset` with a TCP reset, `slow` sends
    `bytes_per_second`. A fault hits the next `times` requests whose path contains `path_contains`.
    """

    kind: str
    path_contains: str = ""
    times: int = 1
    status: int = 503
    retry_after: int = 1
    bytes_per_second: int = 65536

    @classmethod
    def parse(cls, data: Any) -> Fault:
        """A fault from JSON; raises ValueError with one sentence that names key and value."""
        values = data if isinstance(data, dict) else {}
        for key, value in values.items():
            if key not in _TYPES:
                raise ValueError(f"{key}: unknown key; known are {', '.join(_TYPES)}")
            if type(value) is not _TYPES[key]:
                raise ValueError(f"{key} = {value!r}: expected {_TYPES[key].__name__}")
        if values.get("kind") not in KINDS:
            raise ValueError(f"kind = {values.get('kind')!r}: expected one of {', '.join(KINDS)}")
        fault = cls(**values)
        if fault.times < 1 or fault.bytes_per_second < 1:
            raise ValueError(f"{values}: times and bytes_per_second must be 1 or more")
        if not 400 <= fault.status <= 599:
            raise ValueError(f"status = {fault.status}: expected 400 to 599")
        return fault


_TYPES = {field.name: str if field.type == "str" else int for field in fields(Fault)}


class Faults:
    """The faults still to come, oldest first."""

    def __init__(self) -> None:
        self._pending: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._pending.append(fault)

    def clear(self) -> None:
        self._pending.clear()

    def take(self, path: str, kinds: tuple[str, ...]) -> Fault | None:
        """The first pending fault of these kinds for this path, used up by one."""
        for index, fault in enumerate(self._pending):
            if fault.kind in kinds and fault.path_contains in path:
                left = fault.times - 1
                self._pending[index : index + 1] = [replace(fault, times=left)] if left else []
                return fault
        return None
