"""Once is an accident: counting bursts of the same fault in the past of a GPU."""

from collections.abc import Iterable
from itertools import pairwise

from agent.xid.context import DAY, Context, Past
from agent.xid.fault import KernelFault
from agent.xid.handling import Handling

FATAL_LIMIT = 5  # faults that took one GPU out of service in 24 h (NVSentinel's limit)
FATAL_BURST = 60.0  # seconds; what one fault drags along is not a second fault


def bursts(instants: Iterable[float], gap: float) -> int:
    """Return how many bursts there are, where less than `gap` seconds do not part two."""
    ordered = sorted(instants)
    parted = sum(after - before > gap for before, after in pairwise(ordered))
    return parted + 1 if ordered else 0


def count(fault: KernelFault, rule: Handling, context: Context) -> int:
    """Return how many bursts of this fault its GPU has had, with the one at hand."""
    if rule.same_place and fault.place is None:
        return 1
    past = [
        one.at
        for one in same(fault, context, rule.within)
        if not rule.same_place or one.place == fault.place
    ]
    return bursts([*past, fault.at or context.now], rule.burst)


def on_link(fault: KernelFault, context: Context) -> int:
    """Return how many times in 24 h this link of the GPU had this fault, with the one at hand."""
    past = [one.at for one in same(fault, context, DAY) if one.link == fault.link]
    return bursts([*past, fault.at or context.now], 5.0)


def same(fault: KernelFault, context: Context, within: float) -> list[Past]:
    """Return the GPU's earlier faults of the same number that were not somebody else's."""
    return [
        one
        for one in context.history
        if (one.gpu, one.xid) == (fault.gpu, fault.xid)
        and one.ours is not False
        and not one.harmless
        and one.at > context.now - within
    ]


def spread(fault: KernelFault, context: Context) -> bool:
    """Return whether other GPUs had the same fault within 24 h: then software is to blame."""
    return any(
        one.xid == fault.xid and one.gpu != fault.gpu and one.ours is not False
        for one in _today(context)
    )


def fatal(gpu: str, context: Context) -> int:
    """Return how many times in 24 h faults took this GPU out of service before now."""
    return bursts((one.at for one in _today(context) if one.gpu == gpu and one.fatal), FATAL_BURST)


def switch(fault: KernelFault, context: Context) -> int:
    """Return how many times within an hour the switch told this number, with the one at hand."""
    return 1 + len(same(fault, context, 3600.0))


def _today(context: Context) -> list[Past]:
    return [one for one in context.history if one.at > context.now - DAY]
