"""Containers that are not ours: which are in the way, and which a deploy takes over. Pure.

Operators name the containers that a deploy may stop and remove in `runtime_take_over`; any other
that holds what we want is a reason to refuse.
"""

from collections.abc import Iterable, Iterator

from agent.engines import longest_stop
from agent.spec import HostSpec
from agent.weights import plan
from agent.weights.plan import File
from fleet import docker_fitness
from fleet.facts.bare import Bare
from fleet.facts.foreign import Cache, Container, Snapshot

GATEWAY = (80, 443)


def refusals(spec: HostSpec, found: Bare) -> Iterator[str]:
    """Yield one sentence for each container that is in the way and is not to be taken over."""
    for one in found.containers or ():
        held = list(_held(spec, one))
        if held and not spec.engines:  # the stage that takes over is for engines
            yield (
                f"container {one.name} ({one.image}) holds {' and '.join(held)}: stop and remove it"
            )
        elif held and one.name not in spec.runtime.take_over:
            names = (*spec.runtime.take_over, one.name)
            yield (
                f"container {one.name} ({one.image}), which is not ours, holds "
                f"{' and '.join(held)}: set runtime_take_over = {names} to have it stopped and "
                "removed and its weights used, or remove it yourself"
            )


def warnings(spec: HostSpec, found: Bare) -> Iterator[str]:
    """Yield one sentence for each container that this deploy, or any systemd reload, harms."""
    if found.containers is None:
        yield "Docker did not answer: whether containers of others are in the way is not known"
    for one in found.containers or ():
        if one.injection == "legacy" and one.running:
            named = one.name in spec.runtime.take_over
            yield (
                f"container {one.name} has its GPUs by Docker's legacy hook (--gpus): a systemd "
                "reload, which any deploy and any package causes, may take them away from it; "
                + (
                    "it may fail before it is taken over"
                    if named
                    else "start it with --device nvidia.com/gpu=all instead"
                )
            )


def ports(found: Bare) -> frozenset[int]:
    """Return the ports that containers of others listen on."""
    return frozenset(port.port for one in found.containers or () for port in one.ports)


def chosen(spec: HostSpec, found: Bare) -> tuple[Container, ...]:
    """Return the containers that are there and are to be taken over."""
    if not spec.engines:
        return ()
    return tuple(one for one in found.containers or () if one.name in spec.runtime.take_over)


def serving(spec: HostSpec, found: Bare) -> bool:
    """Say whether one that is to be taken over runs: the host is not shut before it is stopped."""
    return any(one.running for one in chosen(spec, found))


def early(spec: HostSpec, found: Bare) -> list[str]:
    """Return the names of those that must go before the gateway comes: they hold its ports."""
    return [one.name for one in chosen(spec, found) if any(p.port in GATEWAY for p in one.ports)]


def late(spec: HostSpec, found: Bare) -> list[str]:
    """Return the names of the others; where Docker did not answer, of all that may be there."""
    if found.containers is None:
        return list(spec.runtime.take_over)
    return [one.name for one in chosen(spec, found) if one.name not in early(spec, found)]


def caches(spec: HostSpec, found: Bare) -> list[str]:
    """Return the caches of the Hub that hold something of a wanted commit."""
    some = wanted(spec, chosen(spec, found))
    return list(dict.fromkeys(cache.path for cache, _, _ in some))


def wanted(
    spec: HostSpec, containers: Iterable[Container]
) -> Iterator[tuple[Cache, Snapshot, tuple[File, ...]]]:
    """Yield what the caches of containers have of the wanted commits, with the files of weights."""
    pins = {pin for engine in spec.engines.values() for pin in engine.repositories}
    for cache in (cache for one in containers for cache in one.caches):
        for snapshot in cache.snapshots:
            if (snapshot.repo, snapshot.commit) in pins:
                listed = [File(path=p, size=s, blob="") for p, s in snapshot.files.items()]
                if files := plan.wanted(listed, code=with_code(spec, snapshot)):
                    yield cache, snapshot, files


def with_code(spec: HostSpec, snapshot: Snapshot) -> bool:
    """Say whether the model's own Python files are wanted of a snapshot too."""
    pin = (snapshot.repo, snapshot.commit)
    return any(e.trust_remote_code for e in spec.engines.values() if pin in e.repositories)


def replaced(spec: HostSpec, container: Container) -> str | None:
    """Return the engine that follows a container: of its model, or else on its port."""
    by_model = [n for n, e in spec.engines.items() if e.model.lower() == container.model.lower()]
    taken = {port.port for port in container.ports}
    by_port = [name for name, engine in spec.engines.items() if engine.port in taken]
    return next(iter([*by_model, *by_port]), None)


def docker_replaced(spec: HostSpec, found: Bare) -> bool:
    """Say whether the deploy replaces Docker's packages, over which nothing may run."""
    return bool(found.dockerd.old) or docker_fitness.too_old(spec, found)


def stop_seconds(spec: HostSpec) -> int:
    """Return the seconds that a container gets to finish what is in flight."""
    return int(longest_stop(spec.engines))


def _held(spec: HostSpec, container: Container) -> Iterator[str]:
    """Yield what a container holds that we want, also if it will only once Docker starts again."""
    names = _ports(spec)
    if container.running or container.restart == "always":
        for port in dict.fromkeys(port.port for port in container.ports):
            if port in names:
                yield f"port {port}, wanted by {names[port]}"
    if container.holds and any(engine.gpus for engine in spec.engines.values()):
        yield f"{len(container.holds)} GPU(s)"


def _ports(spec: HostSpec) -> dict[int, str]:
    found = dict.fromkeys(GATEWAY if spec.engines else (), "the gateway")
    found |= dict.fromkeys((spec.agent.port, spec.agent.check_port), "the agent")
    return found | {engine.port: f"engine {name}" for name, engine in spec.engines.items()}
