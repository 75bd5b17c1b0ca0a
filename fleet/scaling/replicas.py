"""The replicas of each model, from what the nodes say of themselves. Pure."""

from collections.abc import Mapping

from agent.scaling_spec import ScalingSpec
from agent.spec import HostSpec
from fleet.commands.nodes import Engine, Fleet, Node
from fleet.commands.status_text import LATE
from fleet.scaling.hpa import Replica, Standing


def of(specs: Mapping[str, HostSpec], fleet: Fleet) -> dict[str, tuple[Replica, ...]]:
    """Return the replicas by the name that clients call the model, in inventory order.

    Every engine of the inventory is one, whether its host says so or not.
    """
    found: dict[str, list[Replica]] = {}
    for host, spec in specs.items():
        for name, engine in spec.engines.items():
            replica = _replica(host, name, fleet.nodes.get(host))
            found.setdefault(engine.name_served, []).append(replica)
    return {model: tuple(replicas) for model, replicas in found.items()}


def _replica(host: str, name: str, node: Node | None) -> Replica:
    if node is None or node.agent is None:
        why = node.problem if node else "was not asked"
        return Replica(host=host, engine=name, standing=Standing.MISSING, why=why)
    if node.late > LATE:
        why = f"what it says is {node.late:.0f} s old"
        return Replica(host=host, engine=name, standing=Standing.MISSING, why=why)
    engine = node.engines.get(name)
    if engine is None:
        why = "is not deployed yet"
        return Replica(host=host, engine=name, standing=Standing.UNREADY, why=why)
    return _seen(host, name, engine)


def _seen(host: str, name: str, engine: Engine) -> Replica:
    running = engine.requests_running or 0
    why = f"{engine.state.phase} {engine.state.reason}"
    if engine.state.phase == "QUARANTINED":
        return Replica(host=host, engine=name, standing=Standing.GONE, running=running, why=why)
    if not engine.serving:
        why = engine.gate_problem or why
        return Replica(host=host, engine=name, standing=Standing.UNREADY, running=running, why=why)
    if engine.requests_waiting is None:
        why = "its engine does not tell how many requests wait"
        return Replica(host=host, engine=name, standing=Standing.MISSING, running=running, why=why)
    return Replica(
        host=host,
        engine=name,
        standing=Standing.READY,
        waiting=engine.requests_waiting,
        running=running,
    )


def wishes(specs: Mapping[str, HostSpec]) -> tuple[dict[str, ScalingSpec], list[str]]:
    """Return what each model wants, and a sentence for each that hosts do not agree on."""
    found: dict[str, tuple[str, ScalingSpec]] = {}
    faults: list[str] = []
    for host, spec in specs.items():
        for model in {engine.name_served: None for engine in spec.engines.values()}:
            wish = spec.scaling.of(model)
            first, agreed = found.setdefault(model, (host, wish))
            faults += [
                f"scaling_{field}: {first} says {getattr(agreed, field)!r} and {host} "
                f"{getattr(wish, field)!r}, but both serve {model}; say it once, for all of them"
                for field in wish.__struct_fields__
                if getattr(wish, field) != getattr(agreed, field)
            ]
    return {model: wish for model, (_, wish) in found.items()}, faults


def by_use(replicas: tuple[Replica, ...]) -> tuple[str, ...]:
    """Return the hosts, those that would be missed least first: out of service, then idle."""
    order = {Standing.GONE: 0, Standing.UNREADY: 1, Standing.READY: 2, Standing.MISSING: 3}
    ranked = sorted(replicas, key=lambda one: (order[one.standing], one.running + one.waiting))
    return tuple(dict.fromkeys(one.host for one in ranked))
