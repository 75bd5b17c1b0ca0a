"""The plan of one host: its spec, what was seen of it, and what is known of its models. Pure."""

from collections.abc import Iterator, Sequence

from agent.planner.card import Card
from agent.spec import HostSpec
from agent.weights.lock import Locked
from fleet import firewall, fitness, takeover
from fleet.plan import changes, downloads, drivers, engines, memory, takeovers
from fleet.plan.document import EnginePlan, Gpus, HostPlan
from fleet.plan.seen import Given, Seen


def host(spec: HostSpec, seen: Seen, lock: Sequence[Locked], given: Given) -> HostPlan:
    """Put the plan of a host together."""
    card = fitness.card(spec, seen.bare)
    planned = tuple(engines.engine(spec, name, card, seen, lock, given) for name in spec.engines)
    missing = tuple(downloads.missing(spec, seen, lock, given.known.checkpoints))
    taken = takeovers.takeovers(spec, seen.bare, lock) if seen.bare else ()
    missing = tuple(takeovers.still_missing(missing, taken))
    full = downloads.disk_fault(spec, seen, missing)
    problems = [*seen.problems, *_unfit(spec, planned), *([full] if full else [])]
    stages = None
    if seen.operations is not None:
        serves = bool(seen.bare and seen.bare.engines) or any(one.running for one in taken)
        acts = engines.acts(spec, seen)
        stages = changes.stages(seen.operations, acts, given.declared, serves=serves)
    driver, said = drivers.driver(spec, seen.bare, card, given.today)
    return HostPlan(
        name=spec.name,
        contact=seen.contact,
        roles=spec.roles,
        gpus=_gpus(spec, seen, card),
        driver=driver,
        driver_move=seen.driver_move,
        disruption=None if stages is None else changes.disruption(stages),
        problems=tuple(dict.fromkeys(problems)),  # preflight may have said it already
        stages=stages,
        engines=planned,
        downloads=missing,
        takeovers=taken,
        warnings=(*_warnings(spec, seen, card), *said),
    )


def _unfit(spec: HostSpec, planned: Sequence[EnginePlan]) -> Iterator[str]:
    for one in planned:
        engine, room = spec.engines[one.name], memory.room(spec, one.name)
        if one.memory and (sentence := memory.refusal(one.name, engine, one.memory, room)):
            yield sentence


def _gpus(spec: HostSpec, seen: Seen, card: Card | None) -> Gpus:
    count = spec.driver.gpu_count
    if card is None:
        return Gpus(count=count, card=None, source="unknown")
    if seen.bare and seen.bare.cards:
        return Gpus(count=count, card=card.name, source="reported")
    declared = spec.driver.gpu_type is not None
    return Gpus(count=count, card=card.name, source="declared" if declared else "found")


def _warnings(spec: HostSpec, seen: Seen, card: Card | None) -> Iterator[str]:
    count, kind = spec.driver.gpu_count, spec.driver.gpu_type
    if count and card is None and seen.contact != "unreachable":
        yield "the type of the GPUs is not known: no driver answers yet; set driver_gpu_type"
    if card is not None and kind and card.name != kind:
        yield f"driver_gpu_type is {kind}, but the driver reports {card.name}"
    elif (there := fitness.by_id(seen.bare)) and kind and there.name != kind:
        yield f"driver_gpu_type is {kind}, but on the PCI bus is {there.name}"
    yield from takeover.warnings(spec, seen.bare) if seen.bare else ()
    yield from firewall.warnings(spec, seen.bare) if seen.bare else ()
    used = sum(engine.gpus for engine in spec.engines.values())
    if used < count:
        yield f"{count - used} of {count} GPUs are used by no engine"
