"""Which model names a host serves, and by which engines: what the gateway chooses by. Pure.

Engines with the same served name are replicas: the gateway shares that model's requests out among
those whose gate is open.
"""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:  # spec imports rules, which imports this module
    from agent.engine_spec import EngineSpec

# nginx has an upstream for each set of replicas that may be open: 2**6 - 1 of them are enough.
REPLICAS = 6
# It stands in nginx's configuration and in addresses.
MODEL = re.compile(r"[A-Za-z0-9_.:@+-]+(/[A-Za-z0-9_.:@+-]+)*")
LONGEST = 200


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """The engines that serve one model; `models` is its name, then those of its adapters.

    `name` is that of the first engine. `length` is the most tokens of a request, of input and
    output together, that every one of them takes.
    """

    name: str
    models: tuple[str, ...]
    engines: tuple[str, ...]
    length: int


def pools(engines: Mapping[str, "EngineSpec"]) -> tuple[Pool, ...]:
    """Return the pools of a host, in the order of the spec."""
    members: dict[str, list[str]] = {}
    for name, engine in engines.items():
        members.setdefault(engine.name_served, []).append(name)
    return tuple(
        Pool(
            name=names[0],
            models=(model, *engines[names[0]].lora_adapters),
            engines=tuple(names),
            length=min(engines[name].max_total_tokens for name in names),
        )
        for model, names in members.items()
    )


def faults(engines: Mapping[str, "EngineSpec"]) -> Iterator[str]:
    """Yield one sentence for each name that the gateway could not choose an engine by."""
    found = pools(engines)
    for name, engine in engines.items():
        for model in (engine.name_served, *engine.lora_adapters):
            if not MODEL.fullmatch(model) or len(model) > LONGEST:
                yield (
                    f"engine {name}: the model name {model!r}: has 1 to {LONGEST} of letters, "
                    "digits, '_', '.', ':', '@', '+', '-', and '/' between them"
                )
    for pool in found:
        yield from _replicas(pool, engines)
    owners: dict[str, str] = {}
    for pool in found:
        for model in pool.models:
            first = owners.setdefault(model, pool.name)
            if first != pool.name:
                yield f"the model name {model!r}: engines {first} and {pool.name} both have it"


def _replicas(pool: Pool, engines: Mapping[str, "EngineSpec"]) -> Iterator[str]:
    model = pool.models[0]
    if len(pool.engines) > REPLICAS:
        yield (
            f"engines {', '.join(pool.engines)}: serve the same model name {model!r}; the gateway "
            f"shares out among at most {REPLICAS}"
        )
    for name in pool.engines[1:]:
        if set(engines[name].lora_adapters) != set(pool.models[1:]):
            yield (
                f"engine {name}: lora_adapters: serves the model name {model!r} as engine "
                f"{pool.name} does; replicas need the same adapters, or a served_name of their own"
            )
    if model in pool.models[1:]:
        yield f"engine {pool.name}: lora_adapters[{model!r}]: is the name of the model itself"
