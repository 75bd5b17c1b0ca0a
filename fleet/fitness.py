"""Why a host cannot become what its spec asks for. Pure: spec and findings to sentences."""

import difflib
from collections.abc import Iterator, Mapping

from agent.errors import SpecError
from agent.planner.card import CARDS, Card, reported
from agent.planner.checkpoint import Checkpoint
from agent.planner.units import MIB
from agent.spec import HostSpec
from fleet import balancer, docker_fitness, firewall, takeover
from fleet.distributions import DISTRIBUTIONS
from fleet.driver import pci, verdict
from fleet.facts.bare import Bare, Listener
from fleet.plan import memory

GIB = 1024**3
DOCKER_ROOT = docker_fitness.ROOT
RED_HAT = ("rhel-9", "rocky-9", "almalinux-9")


def problems(spec: HostSpec, found: Bare) -> Iterator[str]:
    """Yield one sentence for each thing that is in the way."""
    if found.os not in DISTRIBUTIONS:
        yield _unsupported(found.os)
    if found.machine != "x86_64":
        yield f"is a {found.machine} machine; supported is x86_64"
    if not found.python:
        yield "has no python3; install it first: apt-get install python3"
    if not found.curl:
        yield "has no curl; install it first: apt-get install curl ca-certificates"
    yield from _gpus(spec, found)
    if spec.engines:
        yield from docker_fitness.problems(spec, found)
    yield from _disk(spec, found)
    yield from _ports(spec, found)
    if spec.balancer.vip and not (spec.balancer.vip_interface or found.interface):
        yield balancer.nowhere(spec)
    yield from firewall.problems(spec, found)
    yield from takeover.refusals(spec, found)


def _unsupported(name: str) -> str:
    said = f"runs {name}; supported are {', '.join(DISTRIBUTIONS)}"
    if name.startswith(RED_HAT):
        said += "; RHEL, Rocky and AlmaLinux 9 are foreseen, but not built yet"
    return said


def _gpus(spec: HostSpec, found: Bare) -> Iterator[str]:
    wanted, there = spec.driver.gpu_count, len(found.nvidia.gpus)
    if there < wanted:
        yield (
            f"has {there} NVIDIA GPU(s) on its PCI bus, but driver_gpu_count is {wanted}: a card "
            "is missing or dead, or the number is wrong"
        )
    yield from verdict.of(spec, found).problems


def _disk(spec: HostSpec, found: Bare) -> Iterator[str]:
    if not spec.engines:
        return
    floors = [("runtime_disk_floor_gib", spec.runtime.disk_floor_gib, docker_fitness.root(spec))]
    if len(found.weights) < len({(e.model, e.revision) for e in spec.engines.values()}):
        floors.append(("model_disk_floor_gib", spec.model.disk_floor_gib, spec.model.root))
    for key, floor, path in floors:
        free = found.free.get(path, 0)
        if free < floor * GIB:
            yield (
                f"has {free / GIB:.1f} GiB free for {path}, less than {key} = {floor}: "
                "free some disk, or lower the key"
            )


def _ports(spec: HostSpec, found: Bare) -> Iterator[str]:
    gateway = ("the gateway", "nginx.service", found.known)
    wanted = {
        **(dict.fromkeys((80, 443), gateway) if spec.engines else {}),
        spec.agent.port: ("the agent (agent_port)", "stoker-agent.service", True),
        spec.agent.check_port: ("the agent (agent_check_port)", "stoker-agent.service", True),
    }
    if spec.balancer.enabled:
        ours = ("the balancer", "haproxy.service", found.known)
        front = (80, spec.balancer.port) if balancer.redirects(spec) else (spec.balancer.port,)
        wanted |= dict.fromkeys((*front, spec.balancer.metrics_port), ours)
    watch = spec.monitoring
    if watch.enabled:
        wanted[watch.port] = ("Prometheus (monitoring_port)", "prometheus.service", True)
        unit = "prometheus-alertmanager.service"
        key = "Alertmanager (monitoring_alertmanager_port)"
        wanted[watch.alertmanager_port] = (key, unit, True)
    for name, engine in spec.engines.items():
        wanted[engine.port] = (f"engine {name}", "docker.service", name in found.engines)
    for listener in dict.fromkeys(found.listeners):  # once, also when it has IPv4 and IPv6
        of_docker = listener.unit in {"docker.service", "-"}
        if of_docker and listener.port in takeover.ports(found):
            continue  # a container's: `takeover` says whether it may be
        if listener.port in wanted:
            user, unit, known = wanted[listener.port]
            if not (known and listener.unit == unit):
                yield f"port {listener.port}, wanted by {user}, is taken by {_who(listener)}"


def _who(listener: Listener) -> str:
    return listener.program if listener.unit == "-" else f"{listener.program} ({listener.unit})"


def unfit(
    spec: HostSpec, card: Card, checkpoints: Mapping[tuple[str, str], Checkpoint]
) -> Iterator[str]:
    """Yield one sentence for each engine that cannot fit; those whose checkpoint is unknown may."""
    for name, engine in spec.engines.items():
        checkpoint = checkpoints.get((engine.model, engine.revision))
        if checkpoint is None or not engine.gpus:
            continue
        room = memory.room(spec, name)
        try:
            found = memory.weigh(engine, card, checkpoint, room)
        except SpecError:  # the plan says so; here it is no reason to refuse
            continue
        said = memory.memory(found, card, drawn=checkpoint.drawn)
        if sentence := memory.refusal(name, engine, said, room):
            yield sentence


def undeclared(spec: HostSpec) -> str | None:
    """Say that nobody knows the declared type of GPU, with the nearest that is known."""
    name = spec.driver.gpu_type
    if name is None or name in CARDS:
        return None
    by_lower = {known.lower(): known for known in CARDS}
    near = difflib.get_close_matches(name.lower(), by_lower, 1, cutoff=0.5)
    hint = f"did you mean {by_lower[near[0]]!r}?" if near else f"known are {', '.join(CARDS)}"
    return f"driver_gpu_type = {name!r}: is not a GPU that the planner knows; {hint}"


def card(spec: HostSpec, found: Bare | None) -> Card | None:
    """Return the GPU of a host: as its driver reports it, else as declared, else by its PCI id.

    Of unlike GPUs the one with the least memory.
    """
    cards = [reported(*one) for one in _reports(found)] if found else []
    known = [one for one in cards if one.capability]
    if known:
        return min(known, key=lambda one: one.memory)
    return CARDS.get(spec.driver.gpu_type or "") or by_id(found)


def by_id(found: Bare | None) -> Card | None:
    """Return the GPU that a host's PCI bus tells of; None where one of them is not known."""
    named = [CARDS.get(pci.gpu(one.id).card) for one in found.nvidia.gpus] if found else []
    cards = [one for one in named if one]
    if not cards or len(cards) < len(named):
        return None
    return min(cards, key=lambda one: one.memory)


def _reports(found: Bare) -> Iterator[tuple[str, int, int]]:
    for one in found.cards:
        major, _, minor = one.capability.partition(".")
        digits = major.isdigit() and minor.isdigit()
        yield one.name, one.memory * MIB, int(major) * 10 + int(minor) if digits else 0
