"""The batches of this run: which hosts change what they serve with, and when."""

from threading import Lock
from weakref import WeakKeyDictionary

from gevent.pool import Pool
from msgspec import Struct
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.facts import get_fact
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.context import ctx_host

from agent.spec import digest
from fleet import rollout, specs, takeover
from fleet.applying import Ask, When, ask
from fleet.facts.engines import AgentStatus, Status
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


def of(host: Host) -> tuple[Batch, ...]:
    """Return the batches of the run that `host` is part of; looks at all hosts once."""
    with _lock:
        if host.state not in _made:
            _made[host.state] = _make(host.state)
    return _made[host.state]


def made(state: State) -> tuple[Batch, ...]:
    """Return the batches of a run, if they are made."""
    return _made.get(state, ())


def _make(state: State) -> tuple[Batch, ...]:
    hosts = [host for host in state.inventory if host in state.activated_hosts]
    hosts = [host for host in hosts if state.is_host_in_limit(host)]
    moved = dict(zip((h.name for h in hosts), Pool(AT_ONCE).map(_disturbed, hosts), strict=True))
    serves = {h.name: {e.model for e in specs.of(h).engines.values()} for h in hosts}
    disturbed = [name for name, is_moved in moved.items() if is_moved]
    size = min((specs.of(host).rollout.batch for host in hosts), default=1)
    return tuple(
        Batch(tuple(names), When.ALWAYS if set(names) & set(disturbed) else When.NOT_SERVING)
        for names in rollout.batches(serves, disturbed, size)
    )


def _disturbed(host: Host) -> bool:
    """Tell whether an engine that serves on this host has to be restarted, or another's goes."""
    if takeover.serving(specs.of(host), preflight.look(host.state)[0][host.name]):
        return True
    try:
        with ctx_host.use(host):
            status: Status = get_fact(host.state, host, AgentStatus, apply_failed_hosts=False)
    except (PyinfraError, OSError, EOFError):
        return True  # not known: by itself, and carefully
    return any(
        ask(status.engines.get(name), digest(engine), When.ALWAYS) in {Ask.RESTART, Ask.HELD}
        and ask(status.engines.get(name), digest(engine), When.NOT_SERVING) is Ask.NOTHING
        for name, engine in specs.of(host).engines.items()
    )
