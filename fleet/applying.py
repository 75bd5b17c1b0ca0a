"""What to ask the agent so that an engine runs as its spec says. Pure."""

from enum import Enum, StrEnum

from fleet.facts.engines import Engine


class Ask(StrEnum):
    """The verb for the agent. UNDRAIN asks nothing of an engine that is starting: it waits."""

    NOTHING = ""
    WAIT = "undrain"
    RESTART = "restart"


class When(Enum):
    """Restarting an engine that serves is disruptive; starting one that does not is not."""

    NOT_SERVING = 1
    ALWAYS = 2


def ask(engine: Engine | None, digest: str, when: When) -> Ask:
    """Say what to ask about an engine whose settings have `digest`; `engine` None = not known."""
    if engine is None:
        return Ask.RESTART
    phase, current = engine.state.phase, engine.running_digest == digest
    match phase:
        case "SERVING" | "DRAINING":
            return Ask.NOTHING if current or when is When.NOT_SERVING else Ask.RESTART
        case "DRAINED":  # somebody wants it so; what runs behind the closed gate still must be right
            return Ask.NOTHING if current else Ask.RESTART
        case "STARTING":  # the agent starts it already, with the settings of now
            return Ask.WAIT if current or engine.running_digest is None else Ask.RESTART
        case _:
            return Ask.RESTART
