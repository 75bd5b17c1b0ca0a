"""How an engine is changed: rolling over hosts, blue/green beside itself, or swapped. Pure.

What only nginx reads is a reload: no engine is changed.
"""

from agent.spec import RolloutSpec
from fleet import rollout
from fleet.plan.document import Strategy

RELOAD = Strategy(
    kind="reload",
    reason="GatewayAlone",
    message="nginx reads its files anew: what is in flight goes on, and no engine is touched",
)


def choose(wish: RolloutSpec, others: int, obstacle: str | None, *, beside: bool) -> Strategy:
    """Choose by facts: `others` = how many more hosts serve the same model.

    `beside`: a copy of the engine is to serve beside it (`copies.wanted`); `obstacle` = why none
    can, None = one can.
    """
    at_once = rollout.at_once(wish, others + 1)
    if beside and obstacle is None:
        return Strategy(
            kind="blue/green",
            reason="CopyFits",
            message="a copy on free GPUs, with the new settings, serves before this one stops and "
            "until it serves again",
        )
    if others:
        return _of_many(others + 1, at_once)
    if not beside:
        return Strategy(kind="swap", reason="Asked", message="as rollout_strategy says")
    return Strategy(
        kind="swap",
        reason="NoCopy",
        message=f"no other host serves this model, and no copy can serve beside it: {obstacle}",
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
