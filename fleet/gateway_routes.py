"""What the gateway answers and what it lets through to which engine, as values. Pure."""

import json
from collections.abc import Iterator, Mapping
from itertools import combinations, permutations

from msgspec import Struct

from agent import served
from agent.engine_spec import EngineSpec
from agent.served import Pool

ALL = ("tgi", "vllm", "sglang")
# How many engines are asked at most for one request. A second one only if nothing was sent.
TRIES = 2


class Route(Struct, frozen=True):
    """A path that is open; `name` is what logs and metrics call it, `kinds` the engines with it."""

    path: str
    name: str
    methods: tuple[str, ...]
    kinds: tuple[str, ...] = ALL


# The allow-list: what every engine has in OpenAI's form. What is not here is 404, above all what
# - changes the engine: /v1/load_lora_adapter, /v1/unload_lora_adapter (vLLM), /flush_cache,
#   /update_weights_from_disk, /release_memory_occupation, /pause_generation (SGLang);
# - is the agent's to read: /metrics, /health, /load, /info, /get_model_info, /server_info;
# - generates past OpenAI's form: /generate, /generate_stream, /invocations, /vertex, /tokenize;
# - not all have, or only for some models: /v1/embeddings, /v1/responses, /v1/messages (not TGI).
ROUTES = (
    Route("/v1/chat/completions", "chat", ("POST",)),
    Route("/v1/completions", "completions", ("POST",)),
)
READY = "/readyz"
MODELS = Route("/v1/models", "models", ("GET", "HEAD"))


class Way(Struct, frozen=True):
    """A path from outside: to the engines of `pool`, or (None) to those of the model asked for."""

    path: str
    route: Route
    behind: str
    pool: "Place | None"


class Place(Struct, frozen=True):
    """A pool as nginx knows it; the numbers of its open replicas are put behind `upstream`."""

    place: str
    upstream: str
    models: tuple[str, ...]
    engines: tuple[str, ...]


class Listing(Struct, frozen=True):
    """A path that tells of models while `pool` is open; without a pool a script makes it up."""

    path: str
    place: str
    route: Route
    pool: Place | None
    text: str


class Upstream(Struct, frozen=True):
    """One set of engines, by their ports."""

    name: str
    ports: tuple[int, ...]


def place(pool: Pool) -> Place:
    """Say how nginx calls a pool."""
    alone = len(pool.engines) == 1
    upstream = f"engine-{pool.name}" if alone else f"replicas-{pool.name}-"
    return Place(f"@pool-{pool.name}", upstream, pool.models, pool.engines)


def upstreams(engines: Mapping[str, EngineSpec]) -> Iterator[Upstream]:
    """Yield each engine alone, and each set of replicas that may be open at once."""
    for name, engine in engines.items():
        yield Upstream(f"engine-{name}", (engine.port,))
    for pool in served.pools(engines):
        ports = [engines[name].port for name in pool.engines]
        for size in range(1, len(ports) + 1) if len(ports) > 1 else ():
            for chosen in combinations(range(len(ports)), size):
                name = place(pool).upstream + "".join(map(str, chosen))
                yield Upstream(name, tuple(ports[number] for number in chosen))


def ways(engines: Mapping[str, EngineSpec]) -> Iterator[Way]:
    """Yield the paths to generate with: by model name, and below each engine's own name."""
    pools = served.pools(engines)
    for route in ROUTES:
        if len(pools) > 1:
            yield Way(route.path, route, "", None)
        elif _has(pools[0], route, engines):
            yield Way(route.path, route, route.path, place(pools[0]))
    for name, engine in engines.items():
        alone = Place("", f"engine-{name}", (engine.name_served,), (name,))
        for route in ROUTES:
            if engine.kind in route.kinds:
                yield Way(f"/{name}{route.path}", route, route.path, alone)


def listings(engines: Mapping[str, EngineSpec]) -> Iterator[Listing]:
    """Yield the paths that list models, and that tell of one."""
    pools = served.pools(engines)
    only = pools[0] if len(pools) == 1 else None
    text = json.dumps({"object": "list", "data": told(only)}) if only else ""
    yield Listing(MODELS.path, "models", MODELS, place(only) if only else None, text)
    for pool in pools:
        for number, about in enumerate(told(pool)):
            path = f"{MODELS.path}/{about['id']}"
            at = f"model-{pool.name}-{number}"
            yield Listing(path, at, MODELS, place(pool), json.dumps(about))
    for name, engine in engines.items():
        alone = Place("", "", (), (name,))
        own = told(served.pools({name: engine})[0])
        text = json.dumps({"object": "list", "data": own})
        yield Listing(f"/{name}{MODELS.path}", f"models-{name}", MODELS, alone, text)


def readiness(engines: Mapping[str, EngineSpec]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each path that tells balancers whether a gate is open, and the engines of these."""
    yield READY, tuple(engines)
    for pool in served.pools(engines):
        yield from ((f"{READY}/{model}", pool.engines) for model in pool.models)


def told(pool: Pool) -> list[dict[str, object]]:
    """Return what OpenAI's API tells of each model; an adapter's parent is its model."""
    return [
        {
            "id": model,
            "object": "model",
            "created": 0,  # nobody knows when
            "owned_by": "stoker",
            "parent": None if model == pool.models[0] else pool.models[0],
            "max_model_len": pool.length,
        }
        for model in pool.models
    ]


def places(engines: Mapping[str, EngineSpec]) -> dict[str, dict[str, str]]:
    """Map each route's name to the models that have it, and these to the place of their pool."""
    return {
        route.name: {
            model: place(pool).place
            for pool in served.pools(engines)
            if _has(pool, route, engines)
            for model in pool.models
        }
        for route in ROUTES
    }


def addresses(engines: Mapping[str, EngineSpec]) -> Iterator[tuple[str, str]]:
    """Yield each list of addresses as nginx logs it, and the name of the engine asked last."""
    for pool in served.pools(engines):
        for count in range(1, min(TRIES, len(pool.engines)) + 1):
            for names in permutations(pool.engines, count):
                yield ", ".join(f"127.0.0.1:{engines[name].port}" for name in names), names[-1]


def _has(pool: Pool, route: Route, engines: Mapping[str, EngineSpec]) -> bool:
    return all(engines[name].kind in route.kinds for name in pool.engines)
