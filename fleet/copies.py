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
from fleet.facts.engines import Engine, Status

LONGEST = 31  # characters of an engine's name


def beside(spec: HostSpec, status: Status, elsewhere: Collection[str]) -> HostSpec:
    """Return the spec with a copy of each engine that is to have one; as it is where none is.

    `elsewhere` = models that other hosts serve: there clients have somebody else.
    """
    names = [name for name in changed(spec, status) if wanted(spec, name, elsewhere)]
    found = obstacles(spec, names, status)
    for name in names:
        if found[name] is None:
            spec = _with_copy(spec, name)
    return spec


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


def wanted(spec: HostSpec, name: str, elsewhere: Collection[str]) -> bool:
    """Say whether an engine is to have a copy, if there can be one."""
    if spec.rollout.strategy is None:
        return spec.engines[name].model not in elsewhere
    return spec.rollout.strategy == "blue/green"


def obstacles(spec: HostSpec, names: Iterable[str], status: Status) -> dict[str, str | None]:
    """Say of each engine why no copy can serve beside it; None = one can.

    Those that come first have the first choice of GPUs.
    """
    found: dict[str, str | None] = {}
    for name in names:
        found[name] = next(_obstacles(spec, name, status.engines.get(name)), None)
        if found[name] is None:
            spec = _with_copy(spec, name)
    return found


def faults(specs: Mapping[str, HostSpec]) -> Iterator[str]:
    """Yield a sentence for each engine that is to be changed so and cannot be."""
    for host, spec in specs.items():
        if spec.rollout.strategy != "blue/green":
            continue
        for name in spec.engines:
            if why := next(_obstacles(spec, name, None), None):
                yield (
                    f"{host}: rollout_strategy = 'blue/green': no copy of engine {name} can serve "
                    f"beside it: {why}; with None it is rolled or swapped"
                )


def _obstacles(spec: HostSpec, name: str, now: Engine | None) -> Iterator[str]:
    engine = spec.engines[name]
    free = _free(spec)
    if not engine.gpus:
        yield "it has no GPU"
    elif free < engine.gpus:
        yield f"{free} GPU(s) are free, {engine.gpus} are needed"
    if engine.lora_adapters:
        yield "it has LoRA adapters, of which the one that runs may have others"
    if now is not None and now.served_name != engine.name_served:
        yield "clients are to call its model by another name"
    if now is not None and now.port != engine.port:
        yield "its port changes"
    yield from rules.faults(_with_copy(spec, name))


def _free(spec: HostSpec) -> int:
    """Return how many whole GPUs no engine wants."""
    count = spec.driver.gpu_count
    used = sum(engine.gpus for engine in spec.engines.values())
    return count - layout.split(spec.driver.mig, count) - used


def _with_copy(spec: HostSpec, name: str) -> HostSpec:
    copy = replace(spec.engines[name], port=_port(spec))
    return replace(spec, engines={**spec.engines, _name(name, spec.engines): copy})


def _name(name: str, taken: Mapping[str, EngineSpec]) -> str:
    ends = ["-copy", *(f"-copy{number}" for number in range(2, len(taken) + 2))]
    names = (name[: LONGEST - len(end)] + end for end in ends)
    return next(one for one in names if one not in taken)


def _port(spec: HostSpec) -> int:
    taken = {port for _, port in rules.ports(spec)}
    above = max(engine.port for engine in spec.engines.values()) + 1
    candidates = itertools.chain(range(above, 65536), range(1024, above))
    return next(port for port in candidates if port not in taken)
