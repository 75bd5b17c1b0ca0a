"""For how long an engine does not answer while it is changed: an estimate, and said to be one."""

from agent.spec import EngineSpec
from agent.weights.plan import amount
from fleet.plan.document import Act, Gap, Memory, Strategy

# Bytes a second, assumed: a local NVMe disk of a rented host, and 16 lanes of PCIe 4.
DISK = 2e9
BUS = 25e9


def load(weights: int, per_gpu: int) -> float:
    """Return the seconds to bring weights from the disk to the GPUs: the slower of the two ways."""
    return max(weights / DISK, per_gpu / BUS)


def estimate(
    engine: EngineSpec,
    act: Act | None,
    strategy: Strategy,
    weights: int | None,
    memory: Memory | None,
) -> Gap:
    """Estimate; `weights` = bytes of the files, None = not known."""
    seconds = None if weights is None else load(weights, _per_gpu(weights, memory, engine))
    drain = 0.0 if act == "start" else engine.drain_deadline
    felt = act != "start" and strategy.kind == "swap"
    return Gap(
        drain_at_most=drain,
        load=None if seconds is None else round(seconds, 1),
        felt=felt,
        message=_message(act, strategy, weights, seconds, drain),
    )


def _per_gpu(weights: int, memory: Memory | None, engine: EngineSpec) -> int:
    if memory is not None:
        for part in memory.parts:
            if part.name == "weights":
                return part.bytes
    return weights // max(1, engine.gpus)


def _message(
    act: Act | None, strategy: Strategy, weights: int | None, seconds: float | None, drain: float
) -> str:
    if weights is None or seconds is None:
        loading = "the time to load the weights, whose size is not known"
    else:
        loading = (
            f"about {_rounded(seconds)} to load {amount(weights)} "
            f"(estimate: {DISK / 1e9:.0f} GB/s from disk)"
        )
    loading = f"{loading}, then the engine's own warm-up"
    if act == "start":
        return f"none: it does not serve yet; it will after {loading}"
    ends = f"requests in flight finish (at most {drain:.0f} s), then {loading}"
    if strategy.kind == "rolling":
        return f"none while the others serve; this host is out as long as {ends}"
    if strategy.kind == "blue/green":
        return f"none: the old one serves until the new one does, after {loading}"
    return f"nobody serves this model as long as {ends}"


def _rounded(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else "a second"
