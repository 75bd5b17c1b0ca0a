"""NVIDIA's Xid numbers as data, and the operator's word on them."""

import csv
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib import resources
from types import MappingProxyType

from agent.errors import SpecError
from agent.model import Remedy, Value

HIGHEST = 999  # numbers beyond the catalogue (new drivers) may be overridden too


class Severity(StrEnum):
    """How bad the catalogue finds a number; UNKNOWN: it is not expected, or has no meaning."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


class Entry(Value, frozen=True, kw_only=True):
    """One row. `immediate` is NVIDIA's own bucket, `note` the special rule in words."""

    xid: int
    name: str
    area: str
    severity: Severity
    action: str
    immediate: str
    note: str

    @property
    def remedy(self) -> Remedy:
        """What the row's action is on our ladder.

        A row that goes to a human takes the GPU out of service only when it is critical; the
        others are a ticket, and a number that is not expected asks for a second sign first.
        """
        if self.action == INSPECT and self.severity is not Severity.CRITICAL:
            return Remedy.NONE
        return REMEDIES[self.action]

    @property
    def title(self) -> str:
        """The number and name as a reason token: `Xid79GpuHasFallenOffTheBus`."""
        name = self.name.split(" / ")[0].removeprefix("ROBUST_CHANNEL_")
        return f"Xid{self.xid}" + "".join(part.capitalize() for part in name.split("_"))


INSPECT = "drain+inspect/RMA"
REMEDIES = {
    "ignore": Remedy.NONE,
    "restart-app": Remedy.RESTART,
    "reset-gpu": Remedy.RESET,
    "reboot": Remedy.REBOOT,
    INSPECT: Remedy.QUARANTINE,
}


def table(name: str) -> list[dict[str, str]]:
    """Return the rows of a tab-separated table of `agent.data`."""
    text = resources.files("agent.data").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


@cache
def catalogue() -> Mapping[int, Entry]:
    """Return the whole catalogue, number → entry."""
    rows = table("xid-catalogue.tsv")
    return MappingProxyType({int(row["xid"]): _entry(row) for row in rows})


def entry(xid: int) -> Entry:
    """Return what is known of a number; of one beyond the catalogue, that nothing is."""
    return catalogue().get(xid) or Entry(
        xid=xid,
        name="UNLISTED",
        area="unknown",
        severity=Severity.UNKNOWN,
        action=INSPECT,
        immediate="",
        note="not in the catalogue",
    )


def overrides(given: Mapping[str, object]) -> dict[int, Remedy]:
    """Return the operator's remedies, from `check_xid` = {"31": "restart", "43": "ignore"}.

    `SpecError` names the first key or value that is wrong, and what would be right.
    """
    return {_number(key): _remedy(key, value) for key, value in given.items()}


def _entry(row: Mapping[str, str]) -> Entry:
    return Entry(
        xid=int(row["xid"]),
        name=row["name"],
        area=row["class"],
        severity=Severity(row["severity"]),
        action=row["action"],
        immediate=row["nvidia_immediate"],
        note=row["special_rule"],
    )


def _number(key: str) -> int:
    if re.fullmatch(r"[1-9]\d{0,2}", key):
        return int(key)
    raise SpecError(f'check_xid: "{key}" is no Xid; a key is a number from 1 to {HIGHEST}')


def _remedy(key: str, value: object) -> Remedy:
    if value == "ignore":
        return Remedy.NONE
    names = [remedy.value for remedy in Remedy]
    if isinstance(value, str) and value in names:
        return Remedy(value)
    known = ", ".join(["ignore", *names])
    raise SpecError(
        f'check_xid: "{key}" leads to {value!r}, which is no remedy; use one of {known}'
    )
