"""What is refused because the planner foresees it: by validation, and again before a deploy."""

from agent.spec import HostSpec
from fleet import fitness
from fleet.facts.bare import Bare
from fleet.plan import known


def faults(spec: HostSpec) -> list[str]:
    """Return what this machine can tell alone, by the declared type of GPU."""
    wrong = fitness.undeclared(spec)
    return [wrong] if wrong else unfit(spec, None)


def unfit(spec: HostSpec, found: Bare | None) -> list[str]:
    """Return one sentence for each engine that cannot fit on the host's GPUs.

    Only metadata read from the Hub counts, by `stoker plan` or `stoker models lock`.
    """
    card = fitness.card(spec, found)
    if card is None:
        return []
    keys = {(engine.model, engine.revision) for engine in spec.engines.values()}
    read = {key: checkpoint for key in keys if (checkpoint := known.kept(*key))}
    return list(fitness.unfit(spec, card, read))
