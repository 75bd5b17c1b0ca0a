"""The batches of this run: which hosts change what they serve with, and when."""

from threading import Lock
from weakref import WeakKeyDictionary, WeakSet

from gevent.pool import Pool
from msgspec import Struct
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.facts import get_fact
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.context import ctx_host

from agent.spec import HostSpec, digest
from fleet import copies, rollout, specs, takeover
from fleet.applying import When, disturbs
from fleet.facts.containers import EngineContainers, changed
from fleet.facts.engines import AgentStatus, Status
from fleet.release import given
from fleet.stages import preflight

AT_ONCE = 40  # hosts looked at in parallel


class Batch(Struct, frozen=True):
    """Hosts that change together; `when` says whether an engine that serves may be restarted."""

    hosts: tuple[str, ...]
    when: When

    def __str__(self) -> str:
        shown = ", ".join(self.hosts[:5])
        return f"{shown} and {len(self.hosts) - 5} more" if len(self.hosts) > 5 else shown


_lock = Lock()
_made: WeakKeyDictionary[State, tuple[Batch, ...]] = WeakKeyDictionary()
_only_asked: WeakSet[State] = WeakSet()


def of(host: Host) -> tuple[Batch, ...]:
    """Return the batches of the run that `host` is part of; looks at all hosts once."""
    with _lock:
        if host.state not in _made:
            _made[host.state] = _make(host.state)
    return _made[host.state]


def made(state: State) -> tuple[Batch, ...]:
    """Return the batches of a run, if they are made."""
    return _made.get(state, ())


def only_ask(state: State) -> None:
    """Tell that the operations of this run are asked what they would do, for where it leads to.

    What is there on the way alone, such as a copy of an engine, is then left out.
    """
    _only_asked.add(state)


def beside(host: Host, spec: HostSpec, batch: Batch) -> HostSpec:
    """Return what the host converges to first: its spec, with copies of engines that change."""
    if batch.when is not When.ALWAYS or host.state in _only_asked:
        return spec
    others = (one for one in host.inventory if one.name != host.name)
    elsewhere = {e.model for one in others for e in specs.of(one).engines.values()}
    known = given.release() is None  # a node knows no other hosts
    return copies.beside(spec, host.get_fact(AgentStatus), elsewhere if known else None)


def _make(state: State) -> tuple[Batch, ...]:
    hosts = [host for host in state.inventory if host in state.activated_hosts]
    hosts = [host for host in hosts if state.is_host_in_limit(host)]
    found = dict(zip((h.name for h in hosts), Pool(AT_ONCE).map(_status, hosts), strict=True))
    # What it serves now too: while one host gives a model up, no other that has it may be out.
    serves = {
        h.name: {e.model for e in specs.of(h).engines.values()} | _models(found[h.name])
        for h in hosts
    }
    disturbed = [host.name for host in hosts if _disturbed(host, found[host.name])]
    size = min((rollout.at_once(specs.of(h).rollout, len(hosts)) for h in hosts), default=1)
    return tuple(
        Batch(tuple(names), When.ALWAYS if set(names) & set(disturbed) else When.NOT_SERVING)
        for names in rollout.batches(serves, disturbed, size)
    )


def _status(host: Host) -> Status | None:
    """Ask the agent; None = nobody knows."""
    try:
        with ctx_host.use(host):
            found: Status = get_fact(host.state, host, AgentStatus, apply_failed_hosts=False)
    except (PyinfraError, OSError, EOFError):
        return None
    return found


def _models(status: Status | None) -> set[str]:
    engines = status.engines.values() if status else ()
    return {one.model for one in engines if one.model and one.at_work}


def _changed(host: Host, spec: HostSpec) -> bool:
    """Tell whether somebody has changed a container on this node; only a node looks at its own."""
    with ctx_host.use(host):
        return any(changed(spec, host.get_fact(EngineContainers, names=list(spec.engines))))


def _disturbed(host: Host, status: Status | None) -> bool:
    """Tell whether an engine that serves on this host has to be restarted, or goes."""
    spec = specs.of(host)
    if takeover.serving(spec, preflight.look(host.state)[0][host.name]):
        return True
    if status is None:
        return True  # not known: by itself, and carefully
    if spec.engines and given.release() is not None and _changed(host, spec):
        return True
    return disturbs({name: digest(engine) for name, engine in spec.engines.items()}, status)
