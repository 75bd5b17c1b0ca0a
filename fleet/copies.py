"""Blue/green: an engine changes while a copy of it, with the new settings, serves. Pure.

A copy is an engine like any other for the time of one deploy: on GPUs that no engine has, with a
name and a port of its own. It has the same served name, so the two are replicas, and the gateway
shares requests out among those whose gate is open.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec.structs import replace

from agent import rules
from agent.engine_spec import EngineSpec
from agent.mig import layout
from agent.spec import HostSpec, digest
from fleet.applying import Ask, When, ask
from fleet.facts.engines import Status

LONGEST = 31  # characters of an engine's name
ABOVE = 10000  # a copy's port is so far above its engine's


def beside(spec: HostSpec, status: Status, elsewhere: Collection[str] | None) -> HostSpec:
    """Return the spec with a copy of each engine that is to have one; as it is where none is.

    `elsewhere` = models that other hosts serve: there clients have somebody else. None = not known,
    as on a node that goes back by itself: it takes the quick way.
    """
    names = [name for name in changed(spec, status) if wanted(spec, name, elsewhere)]
    found = obstacles(spec, names, status)
    names = [name for name in names if found[name] is None]
    for name in dict.fromkeys([*names, *left(spec, status)]):
        spec = _with_copy(spec, name)
    return spec


def left(spec: HostSpec, status: Status) -> Iterator[str]:
    """Yield the engines whose copy a run has left at work: it may be all that serves."""
    for name in spec.engines:
        both = _with_copy(spec, name)
        [copy] = both.engines.keys() - spec.engines.keys()
        found = status.engines.get(copy)
        if found and found.at_work and found.running_digest == digest(both.engines[copy]):
            yield name


def changed(spec: HostSpec, status: Status) -> tuple[str, ...]:
    """Return the engines that serve and are to be restarted; none where one is somebody's."""
    asked = {
        name: {when: ask(status.engines.get(name), digest(engine), when) for when in When}
        for name, engine in spec.engines.items()
    }
    if any(Ask.HELD in one.values() for one in asked.values()):
        return ()
    restarted = {When.ALWAYS: Ask.RESTART, When.NOT_SERVING: Ask.NOTHING}
    return tuple(name for name, one in asked.items() if one == restarted)


def wanted(spec: HostSpec, name: str, elsewhere: Collection[str] | None) -> bool:
    """Say whether an engine is to have a copy, if there can be one."""
    if spec.rollout.strategy is None:
        return elsewhere is not None and spec.engines[name].model not in elsewhere
    return spec.rollout.strategy == "blue/green"


def obstacles(spec: HostSpec, names: Iterable[str], status: Status) -> dict[str, str | None]:
    """Say of each engine why no copy can serve beside it; None = one can.

    Those that come first have the first choice of GPUs.
    """
    found: dict[str, str | None] = {}
    for name in names:
        found[name] = next(_obstacles(spec, name, status), None)
        if found[name] is None:
            spec = _with_copy(spec, name)
    return found


def faults(specs: Mapping[str, HostSpec]) -> Iterator[str]:
    """Yield a sentence for each engine that is to be changed so and cannot be."""
    for host, spec in specs.items():
        if spec.rollout.strategy != "blue/green":
            continue
        for name in spec.engines:
            if why := next(_obstacles(spec, name, Status()), None):
                yield (
                    f"{host}: rollout_strategy = 'blue/green': no copy of engine {name} can serve "
                    f"beside it: {why}; with None it is rolled or swapped"
                )


def _obstacles(spec: HostSpec, name: str, status: Status) -> Iterator[str]:
    engine, now = spec.engines[name], status.engines.get(name)
    if not engine.gpus:
        yield "it has no GPU"
    unused, free = _unused(spec), _free(spec, status)
    if free < engine.gpus:
        taken = f"; {unused - free} more are out of service, or somebody else's"
        why = taken if free < unused else ""
        yield f"{free} GPU(s) are free, {engine.gpus} are needed{why}"
    if engine.lora_adapters:
        yield "it has LoRA adapters, of which the one that runs may have others"
    if now is not None and now.served_name != engine.name_served:
        yield "clients are to call its model by another name"
    if now is not None and now.port != engine.port:
        yield "its port changes"
    yield from rules.faults(_with_copy(spec, name))


def _unused(spec: HostSpec) -> int:
    """Return how many whole GPUs no engine wants."""
    count = spec.driver.gpu_count
    used = sum(engine.gpus for engine in spec.engines.values())
    return count - layout.split(spec.driver.mig, count) - used


def _free(spec: HostSpec, status: Status) -> int:
    """Return how many of these are there, well, and in nobody's use, as far as that is known."""
    if status.gpus is None:
        return _unused(spec)
    held = {name: set(one.gpus) for name, one in status.engines.items()}
    ours = set[str]().union(*(gpus for name, gpus in held.items() if name in spec.engines))
    going = set[str]().union(*held.values()) - ours  # of engines that are no more wanted
    ill = {one.subject for one in status.conditions if one.remedy not in {"none", "restart"}}
    idle = [
        one
        for one in status.gpus.gpus
        if one.error is None and not one.mig and one.uuid not in ours
        if f"gpu:{one.uuid}" not in ill and (not one.processes or one.uuid in going)
    ]
    to_start = sum(one.gpus for name, one in spec.engines.items() if not held.get(name))
    return max(0, min(_unused(spec), len(idle) - to_start))


def _with_copy(spec: HostSpec, name: str) -> HostSpec:
    copy = replace(spec.engines[name], port=_port(spec, name))
    return replace(spec, engines={**spec.engines, _name(name, spec.engines): copy})


def _name(name: str, taken: Mapping[str, EngineSpec]) -> str:
    ends = ["-copy", *(f"-copy{number}" for number in range(2, len(taken) + 2))]
    names = (name[: LONGEST - len(end)] + end for end in ends)
    return next(one for one in names if one not in taken)


def _port(spec: HostSpec, name: str) -> int:
    """Return a port that is the same in the next run, whichever other engines have copies."""
    taken = {port for _, port in rules.ports(spec)}
    first = min(spec.engines[name].port + ABOVE, 65535)
    candidates = itertools.chain(range(first, 65536), range(1024, first))
    return next(port for port in candidates if port not in taken)
