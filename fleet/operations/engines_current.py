"""Engines that run as the spec says: by asking the agent, which drains, restarts and waits."""

import getpass
from collections.abc import Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.engines import ENGINES
from agent.spec import EngineSpec, HostSpec, digest
from fleet.applying import Ask, When, ask
from fleet.facts.engines import AgentStatus
from fleet.operations.stop import fail

MARGIN = 60.0  # seconds for what is neither draining nor starting


@operation()
def engines_current(spec: HostSpec, when: When) -> Generator[StringCommand]:
    """Bring every engine of the host to its spec and wait until each answers a chat.

    An engine that serves is only touched with `When.ALWAYS`, and never after a host of this run
    has failed: then the rest of the fleet stays as it is.
    """
    known = host.get_fact(AgentStatus).engines
    asks = {
        name: verb
        for name, engine in spec.engines.items()
        if (verb := ask(known.get(name), digest(engine), when)) is not Ask.NOTHING
    }
    if not asks:
        host.noop("the engines run as they should")
        return
    if when is When.ALWAYS and (failed := _failed_hosts()):
        yield fail(f"the roll stopped at {failed}; the engines of this host were not touched")
        return
    for name, verb in asks.items():
        seconds = patience(spec.engines[name])
        yield StringCommand(
            f"/usr/local/bin/stokerctl {verb}", QuoteString(name), f"--wait {seconds:.0f}",
            "--by", QuoteString(f"deploy:{getpass.getuser()}"), "--reason 'settings changed'",
            _timeout=int(seconds + MARGIN),
        )  # fmt: skip


def patience(engine: EngineSpec) -> float:
    """Return the seconds after which an engine that was drained and started must answer."""
    return ENGINES[engine.kind].stop_deadline(engine) + engine.startup_deadline + MARGIN


def _failed_hosts() -> str:
    state = host.state
    if not state.is_executing:
        return ""
    return ", ".join(sorted(h.name for h in state.failed_hosts if h in state.activated_hosts))
