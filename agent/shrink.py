"""On how many GPUs can an engine serve, when not all that it wants are well? Pure but for `read`.

The planner says: the degree has to split the model as the engine splits it, and weights, KV cache
and all else have to fit.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from agent.errors import SourceError
from agent.model import Condition, Remedy
from agent.planner import checkpoint, choose, wish
from agent.planner.card import Card, reported
from agent.planner.checkpoint import Checkpoint
from agent.spec import EngineSpec

Told = tuple[str, int | None, int | None]  # a GPU's name, memory in bytes, compute capability


def read(directory: Path) -> Checkpoint | None:
    """Read what a planner needs off a directory of weights; None when it does not tell."""
    try:
        return checkpoint.read(directory)
    except SourceError:
        return None


def smallest(gpus: Iterable[Told]) -> Card | None:
    """Return the card of the GPU with the least memory; None when none tells enough of itself."""
    known = [
        reported(name, memory, capability)
        for name, memory, capability in gpus
        if memory and capability
    ]
    return min(known, key=lambda one: one.memory, default=None)


def width(model: Checkpoint | None, engine: EngineSpec, available: int, card: Card | None) -> int:
    """Return on how many of the `available` GPUs, all a `card`, the engine can serve; 0 = on none.

    With enough GPUs that is as many as it wants, whatever its `shrink` says. Raises `SpecError`
    when the planner cannot make out the model or the engine's arguments.
    """
    if available >= engine.gpus:
        return engine.gpus
    if not engine.shrink or model is None or card is None:
        return 0
    found = choose.widest(model, card, wish.of(engine, engine.gpus), available)
    return found.wish.gpus if found else 0


def elsewhere(worst: Condition | None, gpus: int, wanted: int) -> Condition | None:
    """Return a GPU's fault as the engine is to see it that can serve on `gpus` others.

    What is not judged yet, and what is not a GPU's, stays as it is.
    """
    of_gpu = worst is not None and worst.subject.startswith("gpu:")
    if worst is None or not of_gpu or worst.remedy <= Remedy.RESTART or not gpus:
        return worst
    where = f"restarted on {gpus} of {wanted} GPUs, without it"
    return Condition(
        check=worst.check,
        subject=worst.subject,
        status=worst.status,
        reason=worst.reason,
        message=f"{worst.message}; {where}",
        remedy=Remedy.RESTART,
        since=worst.since,
        fatal=worst.fatal,
        evidence=worst.evidence,
    )


def out_of_service(conditions: Sequence[Condition]) -> frozenset[str]:
    """Return the GPUs (UUIDs) that no engine is to be started on."""
    return frozenset(
        one.subject.removeprefix("gpu:")
        for one in conditions
        if one.subject.startswith("gpu:") and one.remedy not in {Remedy.NONE, Remedy.RESTART}
    )
