"""Faults and contexts with only what a test is about."""

from __future__ import annotations

from typing import Any

from agent.xid.context import Context, Past
from agent.xid.fault import KernelFault

NOW = 1_764_000_000.0
GPU = "00000000:3b:00"
OTHER = "00000000:5e:00"
HOUR = 3600.0
ENGINE = 4242
PIDS = frozenset({ENGINE})


def fault(xid: int, **given: Any) -> KernelFault:
    return KernelFault(
        **{"gpu": GPU, "at": NOW, "boot": "b", "text": f"Xid {xid}", **given}, xid=xid
    )


def context(**given: Any) -> Context:
    return Context(**{"now": NOW, **given})


def past(xid: int, ago: float, **given: Any) -> Past:
    return Past(**{"gpu": GPU, **given}, xid=xid, at=NOW - ago)
