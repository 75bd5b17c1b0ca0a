"""The plan of one engine: what happens to it, how, and whether it fits. Pure."""

from collections.abc import Sequence

from agent.errors import SpecError
from agent.planner.card import Card
from agent.spec import EngineSpec, HostSpec, digest
from agent.weights.lock import Locked
from fleet import applying, copies, takeover
from fleet.applying import Ask, When
from fleet.facts.engines import Status
from fleet.plan import downloads, gap, memory, strategy
from fleet.plan.document import Act, EnginePlan, Memory, Strategy
from fleet.plan.known import Known
from fleet.plan.seen import Given, Seen


def engine(
    spec: HostSpec, name: str, card: Card | None, seen: Seen, lock: Sequence[Locked], given: Given
) -> EnginePlan:
    """Plan one engine of a host."""
    wanted = spec.engines[name]
    act = acts(spec, seen).get(name)
    found, warnings = _memory(spec, name, card, given.known)
    chosen, expected = None, None
    if act != "nothing" and seen.contact != "unreachable":
        chosen = None if act == "start" else _strategy(spec, name, seen, given)
        if act == "start" and (other := _followed(spec, name, seen)):
            chosen = _after(other)
        size = downloads.size(
            wanted, wanted.model, wanted.revision, lock, given.known.checkpoints
        ).bytes
        expected = gap.estimate(wanted, chosen, size)
    elif act == "nothing" and _reloads(seen):
        chosen = strategy.RELOAD
    held = "somebody else is at it, such as a person who drains it: this deploy would stop there"
    return EnginePlan(
        name=name,
        kind=wanted.kind,
        model=wanted.model,
        revision=wanted.revision,
        served=wanted.name_served,
        gpus=wanted.gpus,
        act=act,
        memory=found,
        strategy=chosen,
        gap=expected,
        warnings=(*memory.uncounted(wanted), *warnings, *((held,) if act == "held" else ())),
    )


def _followed(spec: HostSpec, name: str, seen: Seen) -> str | None:
    """Return the container whose place the engine takes, if that runs."""
    there = takeover.chosen(spec, seen.bare) if seen.bare else ()
    return next((c.name for c in there if c.running and takeover.replaced(spec, c) == name), None)


def _after(container: str) -> Strategy:
    return Strategy(
        kind="swap",
        reason="TakesOver",
        message=f"container {container} has its port or its model, and stops before it starts",
    )


def acts(spec: HostSpec, seen: Seen) -> dict[str, Act]:
    """Return what a deploy does to each engine; empty where that is not known."""
    if seen.operations is None:
        return {}
    return {name: _act(engine, name, seen.status) for name, engine in spec.engines.items()}


def _act(wanted: EngineSpec, name: str, status: Status) -> Act:
    found, settings = status.engines.get(name), digest(wanted)
    if applying.ask(found, settings, When.NOT_SERVING) is Ask.RESTART:
        return "start"
    asked = applying.ask(found, settings, When.ALWAYS)
    return "restart" if asked is Ask.RESTART else "held" if asked is Ask.HELD else "nothing"


def _strategy(spec: HostSpec, name: str, seen: Seen, given: Given) -> Strategy:
    known = seen.operations is not None
    change = copies.changed(spec, seen.status) if known else tuple(spec.engines)
    elsewhere = {model for model, hosts in given.serves.items() if set(hosts) - {spec.name}}
    names = [one for one in change if copies.wanted(spec, one, elsewhere)]
    nobody = "somebody else is at an engine of this host"
    obstacle = copies.obstacles(spec, names, seen.status).get(name, nobody)
    others = set(given.serves.get(spec.engines[name].model, ())) - {spec.name}
    beside = copies.wanted(spec, name, elsewhere)
    return strategy.choose(spec.rollout, len(others), obstacle, beside=beside)


def _reloads(seen: Seen) -> bool:
    return any(one.changes and one.stage == "gateway" for one in seen.operations or ())


def _memory(
    spec: HostSpec, name: str, card: Card | None, known: Known
) -> tuple[Memory | None, tuple[str, ...]]:
    """Return the verdict and what to warn of; or none, and why."""
    wanted = spec.engines[name]
    key = (wanted.model, wanted.revision)
    if not wanted.gpus:
        return None, ("it has no GPU: its memory is not reckoned",)
    if card is None:
        return None, ("whether it fits is not known: the type of the GPUs is not",)
    if (checkpoint := known.checkpoints.get(key)) is None:
        return None, (f"whether it fits is not known: {known.problems.get(key, 'no metadata')}",)
    try:
        found = memory.weigh(wanted, card, checkpoint, memory.room(spec, name))
    except SpecError as error:
        return None, (f"whether it fits is not known: {error}",)
    return memory.memory(found, card, drawn=checkpoint.drawn), found.warnings
