"""Xid 144-150 (NVLink5, Blackwell): 94 rules tell the harmless from the fatal.

A rule holds when the masked intrinfo word equals its value and the error word is exactly its
own. The layout of intrinfo changed with driver branch 575.
"""

from functools import cache

from agent.model import Value
from agent.xid.catalogue import table
from agent.xid.fault import KernelFault

NUMBERS = frozenset(range(144, 151))
NEW_LAYOUT = 575  # the first driver branch with layout 2
RESET, IGNORE, ASK_DRIVER = "RESET_GPU", "IGNORE", "XID_154_EVAL"
_WORST = (RESET, ASK_DRIVER, IGNORE)


class Rule(Value, frozen=True, kw_only=True):
    """One row: which unit, which words, and what NVIDIA says to do."""

    xid: int
    units: frozenset[str]
    masks: tuple[int, int]  # layout 1, layout 2
    values: tuple[int, int]
    status: int
    resolution: str
    severity: str


@cache
def rules() -> tuple[Rule, ...]:
    """Return all rules, in the order of the table."""
    return tuple(
        Rule(
            xid=int(row["xid"]),
            units=frozenset(row["unit"].split("/")),
            masks=(int(row["v1_mask"], 16), int(row["v2_mask"], 16)),
            values=(int(row["v1_value"], 16), int(row["v2_value"], 16)),
            status=int(row["error_status"], 16),
            resolution=row["nvidia_resolution"],
            severity=row["severity"],
        )
        for row in table("xid-nvlink5-decode.tsv")
    )


def decode(fault: KernelFault, branch: int | None) -> Rule | None:
    """Return the rule that holds for the fault; None: believe its word Fatal or Nonfatal.

    The layout of the driver's `branch` (575, 595, …) is asked first. The other one counts only
    where the unit's name agrees too: branches have been seen that print the older layout.
    """
    if len(fault.words) < 2:
        return None
    layouts = (0, 1) if branch is not None and branch < NEW_LAYOUT else (1, 0)
    sure = _matches(fault, layouts[0])
    named = [rule for layout in layouts for rule in _matches(fault, layout) if _named(rule, fault)]
    if branch is None:
        return _worst(named or sure)
    return _worst([rule for rule in sure if _named(rule, fault)] or sure or named)


def _matches(fault: KernelFault, layout: int) -> list[Rule]:
    intrinfo, status = fault.words[:2]
    return [
        rule
        for rule in rules()
        if rule.xid == fault.xid
        and intrinfo & rule.masks[layout] == rule.values[layout]
        and status == rule.status
    ]


def _named(rule: Rule, fault: KernelFault) -> bool:
    return not rule.units.isdisjoint(fault.unit.split("/"))


def _worst(found: list[Rule]) -> Rule | None:
    return min(found, key=lambda rule: _WORST.index(rule.resolution), default=None)
