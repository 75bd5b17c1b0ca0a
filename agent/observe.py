"""Readings of one engine, put into the words of `decide`. Pure."""

from agent.model import Condition, EngineState, Observed, Policy, Remedy
from agent.sources.engine import Answer, EngineReading
from agent.spec import EngineSpec, HostSpec


def policy(spec: HostSpec, engine: EngineSpec) -> Policy:
    """Return how patient the agent is with one engine."""
    return Policy(
        act=spec.agent.remediation == "act",
        budget=spec.agent.restart_budget,
        window=spec.agent.restart_window,
        backoff=spec.agent.backoff,
        backoff_cap=spec.agent.backoff_cap,
        startup_deadline=engine.startup_deadline,
        drain_deadline=engine.drain_deadline,
    )


def observe(
    state: EngineState, look: EngineReading | None, worst: Condition | None, *, busy: bool
) -> Observed:
    """Put one look at an engine into the words of `decide`; during an act nothing is known."""
    if look is None or busy:
        return Observed()
    ended = look.exit if not look.running else None
    if ended is not None and ended.ended < state.last_start:
        ended = None  # the end of a former run
    said = ended or worst
    return Observed(
        running=look.running,
        answering=answering(look),
        in_flight=_in_flight(look),
        remedy=worst.remedy if worst else Remedy.NONE,
        reason=said.reason if said else "",
        message=said.message if said else "",
        hopeless=ended is not None and ended.kind.hopeless,
    )


def _in_flight(look: EngineReading) -> int | None:
    """A closed port holds no request: who drains an engine that loads need not wait for it."""
    return 0 if look.health is Answer.REFUSED else look.load.in_flight


def answering(look: EngineReading) -> bool | None:
    """Say whether the engine has proved by a chat that it answers; None = not tried or too slow."""
    if look.health is Answer.REFUSED:
        return False
    return {Answer.OK: True, Answer.BAD: False}.get(look.chat) if look.chat else None


def subjects(name: str, look: EngineReading | None) -> frozenset[str]:
    """Return what an engine depends on: itself and the GPUs it was started with."""
    gpus = look.started.gpus if look and look.started else ()
    return frozenset({f"engine:{name}", *(f"gpu:{uuid}" for uuid in gpus)})
