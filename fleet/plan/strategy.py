"""How an engine is changed: rolling over hosts, blue/green beside itself, or swapped. Pure.

What only nginx reads is a reload: no engine is changed.
"""

from collections.abc import Collection, Sequence

from agent.spec import EngineSpec
from fleet.plan.document import Memory, Strategy

# What the engine stage carries out. Of what it does not, the plan says that it would be possible.
CARRIED_OUT = frozenset({"rolling", "swap", "reload"})
RELOAD = Strategy(
    kind="reload",
    reason="GatewayAlone",
    message="nginx reads its files anew: what is in flight goes on, and no engine is touched",
)


def choose(
    engine: EngineSpec,
    others: Sequence[str],
    free: int,
    memory: Memory | None,
    able: Collection[str] = CARRIED_OUT,
    at_once: int = 1,
) -> Strategy:
    """Choose by facts: `others` = hosts that serve the same model, `free` = GPUs of no engine.

    `at_once` = how many hosts of one model may change at the same time (`fleet.rollout`).
    """
    if others:
        return _of_many(len(others) + 1, at_once)
    where = _second(engine, free, memory)
    if where is None:
        gpus = f"{free} GPU(s) are free, {engine.gpus} are needed" if engine.gpus else "it has none"
        return Strategy(
            kind="swap",
            reason="NoRoomForSecond",
            message=f"no other host serves this model, and a second copy does not fit: {gpus}",
        )
    if "blue/green" not in able:
        return Strategy(
            kind="swap",
            reason="SecondNotCarriedOut",
            message=f"no other host serves this model; a second copy would fit {where}, but a "
            "deploy does not start one yet",
        )
    return Strategy(
        kind="blue/green",
        reason="SecondFits",
        message=f"a second copy fits {where}: it serves before the old one stops",
    )


def _of_many(hosts: int, at_once: int) -> Strategy:
    if at_once >= hosts:
        return Strategy(
            kind="swap",
            reason="AllAtOnce",
            message=f"all {hosts} hosts that serve this model change at once, as rollout_strategy "
            "or rollout_batch says",
        )
    number = "one" if at_once == 1 else str(at_once)
    return Strategy(
        kind="rolling",
        reason="OtherHostsServe",
        message=f"{hosts} hosts serve this model and change {number} at a time",
    )


def _second(engine: EngineSpec, free: int, memory: Memory | None) -> str | None:
    """Say where a second copy would fit; None when nowhere."""
    if engine.gpus and free >= engine.gpus:
        return f"on {free} free GPU(s)"
    if memory is not None and memory.parts and 2 * memory.taken <= memory.total:
        return "beside it on the same GPU(s)"
    return None
