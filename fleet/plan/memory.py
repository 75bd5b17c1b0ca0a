"""Does an engine fit, and what does the memory go to? The planner's answer, as the plan says it."""

from collections.abc import Iterator

from agent.errors import SpecError
from agent.planner import fit, wish
from agent.planner.card import Card
from agent.planner.checkpoint import Checkpoint
from agent.planner.ledger import Fit
from agent.planner.wish import Wish
from agent.spec import EngineSpec, HostSpec
from fleet.plan.document import Memory, Part

UNSURE = "TooTight"  # fits by the sum, but not if that is off by as much as it may be


def wanted(engine: EngineSpec) -> Wish:
    """Return what one copy of the model wishes; raise `SpecError` for a flag that is no number."""
    return wish.of(engine, engine.gpus)


def weigh(engine: EngineSpec, card: Card, checkpoint: Checkpoint, room: int) -> Fit:
    """Judge one engine; `room` = GPUs that it might have. Raise `SpecError` when nobody can."""
    try:
        return fit.with_near(checkpoint, card, wanted(engine), room)
    except KeyError as error:  # a data type that the planner has no size for
        raise SpecError(f"{checkpoint.name}: the planner does not know {error}") from error


def room(spec: HostSpec, name: str) -> int:
    """Return how many GPUs the host has that no other engine than `name` wants."""
    others = sum(engine.gpus for other, engine in spec.engines.items() if other != name)
    return spec.driver.gpu_count - others


def memory(found: Fit, card: Card, *, drawn: bool) -> Memory:
    """Return the verdict as the plan says it."""
    ledger = found.ledger
    return Memory(
        fits="yes" if found.fits else "unsure" if found.reason == UNSURE else "no",
        reason=found.reason,
        message=found.message,
        gpus=found.wish.gpus,
        card=found.card,
        total=ledger.memory if ledger else card.memory,
        parts=tuple(Part(name=n, bytes=size) for n, size in ledger.parts()) if ledger else (),
        left=ledger.left if ledger else 0,
        doubt=ledger.doubt if ledger else 0,
        tokens=found.tokens,
        requests=round(found.holds, 1),
        nearest=tuple(near.message for near in found.near),
        drawn=drawn,
    )


def refusal(name: str, engine: EngineSpec, found: Memory, room: int) -> str | None:
    """Say in one sentence that an engine cannot fit; None when it does, or may."""
    if found.fits != "no":
        return None
    nearest = found.nearest[0] if found.nearest else None
    advice = (
        f"the nearest that fits: {nearest}"
        if nearest
        else f"nothing near to it fits on {room} GPU(s)"
    )
    return (
        f"engine {name}: {engine.model} does not fit on {found.gpus} × {found.card}: "
        f"{found.message}; {advice}"
    )


def uncounted(engine: EngineSpec) -> Iterator[str]:
    """Yield what the planner leaves out of its sum."""
    if engine.speculation_model:
        yield f"the memory of the draft model {engine.speculation_model} is not counted"
    if engine.lora_adapters:
        yield f"the memory of {len(engine.lora_adapters)} LoRA adapter(s) is not counted"
