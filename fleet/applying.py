"""What to ask the agent so that an engine runs as its spec says. Pure."""

from collections.abc import Mapping
from enum import Enum

from fleet.facts.engines import Engine, Status


class Ask(Enum):
    """What a deploy does about one engine. HELD: somebody else is at it, so it must not."""

    NOTHING = 1
    WAIT = 2
    RESTART = 3
    HELD = 4


class When(Enum):
    """Restarting an engine that serves is disruptive; starting one that does not is not."""

    NOT_SERVING = 1
    ALWAYS = 2


def ask(engine: Engine | None, digest: str, when: When) -> Ask:
    """Say what to do about an engine whose settings have `digest`; `engine` None = not known."""
    if engine is None:
        return Ask.RESTART
    if engine.state.phase == "STARTING":  # by the agent, with the settings of now
        return Ask.WAIT if engine.running_digest in {digest, None} else Ask.RESTART
    if engine.state.phase == "QUARANTINED":
        return Ask.RESTART
    if engine.running_digest == digest:  # also of an engine that a person has drained
        return Ask.NOTHING
    if engine.state.phase == "DRAINED":
        return Ask.RESTART  # it stays drained
    return Ask.NOTHING if when is When.NOT_SERVING else _roll(engine)


def disturbs(digests: Mapping[str, str], status: Status) -> bool:
    """Say whether an engine that serves has to be restarted, or is to be no more.

    `digests` = of the settings of each engine that is wanted.
    """
    if any(one.at_work for name, one in status.engines.items() if name not in digests):
        return True
    return any(
        ask(status.engines.get(name), digest, When.ALWAYS) in {Ask.RESTART, Ask.HELD}
        and ask(status.engines.get(name), digest, When.NOT_SERVING) is Ask.NOTHING
        for name, digest in digests.items()
    )


def _roll(engine: Engine) -> Ask:
    """A person's drain would be lost in a restart; what is not known is not restarted."""
    by_a_person = engine.state.phase == "DRAINING" and engine.state.goal != "restart"
    return Ask.HELD if by_a_person or engine.running_digest is None else Ask.RESTART
