"""For how long an engine does not answer while it is changed: an estimate, and said to be one."""

from agent.spec import EngineSpec
from agent.weights.plan import amount
from fleet.plan.document import Gap, Strategy

# Bytes a second, assumed: a local NVMe disk of a rented host. The way on to the GPUs, 16 lanes of
# PCIe 4 for each, is more than ten times as wide, so it does not count.
DISK = 2e9


def estimate(engine: EngineSpec, strategy: Strategy | None, weights: int | None) -> Gap:
    """Estimate; `weights` = bytes of the files, None = not known.

    `strategy` None = nothing serves yet, so there is nothing to interrupt.
    """
    seconds = None if weights is None else weights / DISK
    return Gap(
        drain_at_most=engine.drain_deadline if strategy else 0.0,
        load=None if seconds is None else round(seconds, 1),
        felt=strategy is not None and strategy.kind == "swap",
        message=_message(engine, strategy, _loading(weights, seconds)),
    )


def _loading(weights: int | None, seconds: float | None) -> str:
    if weights is None or seconds is None:
        return "the time to load the weights, whose size is not known, and the engine's warm-up"
    time = f"{seconds:.0f} s" if seconds >= 1 else "a second"
    rate = f"{DISK / 1e9:.0f} GB/s"
    return (
        f"about {time} to load {amount(weights)} (estimated at {rate} from the disk) and the "
        "engine's warm-up"
    )


def _message(engine: EngineSpec, strategy: Strategy | None, loading: str) -> str:
    if strategy is None:
        return f"none, for it does not serve yet; it will after {loading}"
    if strategy.kind == "blue/green":
        return f"none: it or its copy serves all the while; each needs {loading}"
    drain = f"at most {engine.drain_deadline:.0f} s to finish what is in flight, then {loading}"
    if strategy.kind == "rolling":
        return f"none while others serve; this host is out for {drain}"
    return f"nobody serves this model for {drain}"
