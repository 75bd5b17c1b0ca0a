"""What is refused because the planner foresees it: by validation, and again before a deploy."""

from collections.abc import Callable

from agent.planner.checkpoint import Checkpoint
from agent.spec import HostSpec
from fleet import fitness
from fleet.facts.bare import Bare
from fleet.plan import known

Kept = Callable[[str, str], Checkpoint | None]


def faults(spec: HostSpec, kept: Kept = known.kept) -> list[str]:
    """Return what this machine can tell alone, by the declared type of GPU."""
    wrong = fitness.undeclared(spec)
    return [wrong] if wrong else unfit(spec, None, kept)


def unfit(spec: HostSpec, found: Bare | None, kept: Kept = known.kept) -> list[str]:
    """Return one sentence for each engine that cannot fit on the host's GPUs.

    Only metadata that was read from the Hub counts, by `stoker plan` or `stoker models lock`.
    """
    card = fitness.card(spec, found)
    if card is None:
        return []
    keys = {(engine.model, engine.revision) for engine in spec.engines.values()}
    read = {key: checkpoint for key in keys if (checkpoint := kept(*key))}
    return list(fitness.unfit(spec, card, read))
