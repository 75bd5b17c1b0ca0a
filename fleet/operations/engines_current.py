"""Engines that run as the spec says: by asking the agent, which drains, restarts and waits."""

import getpass
from collections.abc import Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from agent.engines import ENGINES
from agent.paths import engine_unit
from agent.spec import EngineSpec, HostSpec, digest
from fleet import braking, locking
from fleet.applying import Ask, When, ask
from fleet.facts.containers import EngineContainers, changed
from fleet.facts.engines import AgentStatus, Engine, Status
from fleet.release import given

MARGIN = 60.0  # seconds for what is neither draining nor starting


@operation()
def engines_current(spec: HostSpec, when: When) -> Generator[StringCommand]:
    """Bring every engine of the host to its spec and wait until each answers a chat.

    An engine that serves is only touched with `When.ALWAYS`.
    """
    status = host.get_fact(AgentStatus)
    asks = _asks(spec, status, when)
    if given.release() is not None and when is When.ALWAYS:
        asks = _with_changed(asks, spec)
    if _which(asks, Ask.WAIT) and host.state.is_executing:
        # The agent starts them; that is no change of ours.
        seconds = max(patience(spec.engines[name]) for name in _which(asks, Ask.WAIT))
        status = host.get_fact(AgentStatus, wait=seconds, _timeout=int(seconds + MARGIN))
        asks = _asks(spec, status, when)
        if late := _which(asks, Ask.WAIT):
            yield _failed(f"engine {', '.join(late)}: no answer within {seconds:.0f} s")
            return
    restarts = _which(asks, Ask.RESTART)
    if given.release() is not None and not host.state.is_executing:
        restarts = [name for name in restarts if _drifted(status.engines.get(name))]
    if held := _which(asks, Ask.HELD):
        yield _failed(f"engine {', '.join(held)}: somebody else is at it; deploy again later")
    elif not restarts:
        host.noop("the engines run as they should")
    else:
        yield from (_restart(name, spec) for name in restarts)


def _drifted(engine: Engine | None) -> bool:
    """Tell whether a check for drift has anything to say about an engine that is to be restarted.

    That the agent does not tell is drift of its own, and a quarantine is somebody's decision.
    """
    return engine is not None and engine.state.phase != "QUARANTINED"


def _with_changed(asks: dict[str, Ask], spec: HostSpec) -> dict[str, Ask]:
    """Return it with the engines that somebody has changed on the node; only a node looks."""
    found = host.get_fact(EngineContainers, names=list(spec.engines))
    calm = {name for name, one in asks.items() if one is Ask.NOTHING}
    return asks | {name: Ask.RESTART for name in changed(spec, found) if name in calm}


def _which(asks: dict[str, Ask], wanted: Ask) -> list[str]:
    return [name for name, found in asks.items() if found is wanted]


def _failed(sentence: str) -> StringCommand:
    status = "/usr/local/bin/stokerctl status >&2; exit 1"
    return StringCommand("echo", QuoteString(sentence), ">&2;", status)


def _asks(spec: HostSpec, status: Status, when: When) -> dict[str, Ask]:
    return {
        name: ask(status.engines.get(name), digest(engine), when)
        for name, engine in spec.engines.items()
    }


# The former release's own deploy brings everything back, by the same path as any other change.
_REVERT = (
    "former=$(readlink /opt/stoker/releases/current) && "
    'echo "going back to release $former" >&2 && '
    'STOKER_LOCK="$lock" /usr/local/bin/stoker-release converge "$former" --by deploy '
    "--reason 'an engine did not answer after a change' >/var/log/stoker-revert.log 2>&1 && "
    'echo "this host serves by release $former again" >&2 || '
    'echo "this host could not go back: see /var/log/stoker-revert.log" >&2'
)


# From the journal: the container of one that is given up is gone.
_LAST_LINES = "-n 12 -o cat --no-pager 2>&1 | cut -c1-300 | sed 's/^/  | /' >&2;"


def _restart(name: str, spec: HostSpec) -> StringCommand:
    return asked("restart", name, spec, slot=braking.slot_wait(spec))


def asked(verb: str, name: str, spec: HostSpec, slot: float = 0.0) -> StringCommand:
    """Return a command that asks the agent for an engine that serves with its settings.

    If it does not come to that, the engine's last lines are shown and the host goes back to the
    release that it had. `slot` = seconds to wait for a slot of the fleet brake.
    """
    seconds = patience(spec.engines[name])
    back = spec.rollout.revert and given.release() is None
    return StringCommand(
        f"/usr/local/bin/stokerctl {verb}", QuoteString(name), f"--wait {seconds:.0f}",
        *([f"--slot {slot:.0f}"] if slot else []), "--by",
        QuoteString(f"deploy:{getpass.getuser()}"), "--reason",
        QuoteString(braking.reason("settings changed", spec)),
        "|| { journalctl", QuoteString(f"_SYSTEMD_UNIT={engine_unit(name)}"), _LAST_LINES,
        *([f"lock={locking.token(host.state)};", _REVERT, ";"] if back else []), "exit 1; }",
        _timeout=int((2 if back else 1) * seconds + slot + MARGIN),
    )  # fmt: skip


def patience(engine: EngineSpec) -> float:
    """Return the seconds after which an engine that was drained and started must answer."""
    return ENGINES[engine.kind].stop_deadline(engine) + engine.startup_deadline + MARGIN
