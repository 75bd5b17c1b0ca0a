"""preflight: refuse before anything changes. Runs once for all hosts, while deploy.py is loaded.

pyinfra loads deploy.py for every host before it executes the first operation (also with `-y`),
so an error raised here stops the run with nothing changed anywhere.
"""

from collections.abc import Iterator
from threading import Lock
from weakref import WeakKeyDictionary

from gevent.pool import Pool
from msgspec.structs import replace
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.facts import get_fact
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.context import ctx_host

from agent.engine_spec import folder
from agent.spec import EngineSpec, HostSpec
from fleet import control_files, docker_fitness, fitness, guard, hub_access, rehearsal, specs
from fleet.disruption import Disruption
from fleet.errors import RefusedError
from fleet.facts.bare import Bare, BareHost
from fleet.facts.foreign import Container, ForeignContainers
from fleet.plan import foreseen
from fleet.release import given
from fleet.run import begin

DISRUPTION = Disruption.NONE
AT_ONCE = 40  # hosts looked at in parallel

_lock = Lock()
_looked: WeakKeyDictionary[State, tuple[dict[str, Bare], dict[str, list[str]]]] = (
    WeakKeyDictionary()
)


def apply(host: Host) -> Bare:
    """Return what was found on `host`; raise `RefusedError` when any host of the run is unfit."""
    state = host.state
    found, problems = look(state)
    wanted = {host.name for host in state.inventory if state.is_host_in_limit(host)}
    if wrong := [f"{name}: {s}" for name in problems.keys() & wanted for s in problems[name]]:
        raise RefusedError(wrong)
    if reason := guard.executing():
        begin.once(state, reason, {name: one.python for name, one in found.items()})
        rehearsal.before_first(state)
    return found[host.name]


def look(state: State) -> tuple[dict[str, Bare], dict[str, list[str]]]:
    """Return what was found on each host of the run, and what is in the way there; looks once."""
    with _lock:  # the first host looks at all of them, the others wait for its answer
        if state not in _looked:
            _looked[state] = _look_at_all(state)
    return _looked[state]


def _look_at_all(state: State) -> tuple[dict[str, Bare], dict[str, list[str]]]:
    wanted = [host for host in state.inventory if state.is_host_in_limit(host)]
    here = [host for host in wanted if host in state.activated_hosts]
    problems = {
        host.name: ["cannot be reached over SSH (see above)"] for host in wanted if host not in here
    }
    found: dict[str, Bare] = {}
    for host, (bare, sentences) in zip(here, Pool(AT_ONCE).map(_look, here), strict=True):
        if sentences:
            problems[host.name] = sentences
        if bare is not None:
            found[host.name] = bare
    return found, problems


def _look(host: Host) -> tuple[Bare | None, list[str]]:
    spec = specs.of(host)
    weights = {path for engine in spec.engines.values() for path in _directories(spec, engine)}
    arguments = {"paths": [spec.model.root, docker_fitness.root(spec)], "weights": sorted(weights)}
    try:
        with ctx_host.use(host):
            found = get_fact(host.state, host, BareHost, kwargs=arguments, apply_failed_hosts=False)
    except (PyinfraError, OSError, EOFError) as error:
        return None, [f"cannot be looked at: {error or 'sudo wants a password'}"]
    if found is None:
        return None, ["cannot be looked at: see above"]
    if found.docker and found.python:
        found = replace(found, containers=_containers(host, spec))
    return found, [
        *fitness.problems(spec, found),
        *foreseen.unfit(spec, found),
        *_hub(host, spec, found),
    ]


def _containers(host: Host, spec: HostSpec) -> tuple[Container, ...] | None:
    """Look at containers that are not ours; an unfit look is no look, so the answer is None."""
    pins = [f"{repo}@{commit}" for e in spec.engines.values() for repo, commit in e.repositories]
    arguments = {"wanted": list(dict.fromkeys(pins))}
    try:
        with ctx_host.use(host):
            seen: tuple[Container, ...] | None = get_fact(
                host.state, host, ForeignContainers, kwargs=arguments, apply_failed_hosts=False
            )
    except (PyinfraError, OSError, EOFError):
        return None
    return seen


def _directories(spec: HostSpec, engine: EngineSpec) -> set[str]:
    return {f"{spec.model.root}/{folder(*one)}" for one in engine.repositories}


def _hub(host: Host, spec: HostSpec, found: Bare) -> Iterator[str]:
    if given.release() is not None:  # a node has no token, and does without the Hub
        return
    asked: set[tuple[tuple[str, str], ...]] = set()
    for engine in spec.engines.values():
        there = _directories(spec, engine) <= set(found.weights)
        if engine.repositories in asked or not found.curl or there:
            continue
        asked.add(engine.repositories)
        answer = hub_access.ask(host, spec.model, engine, control_files.token(spec))
        if sentence := hub_access.problem(answer, spec.model, engine):
            yield sentence
