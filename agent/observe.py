"""Readings of one engine, put into the words of `decide`. Pure."""

from collections.abc import Iterable

from agent.model import Condition, EngineState, Observed, Policy, Remedy
from agent.sources.engine import Answer, EngineReading
from agent.spec import EngineSpec, HostSpec
from agent.xid.standing import ANY_GPU, FABRIC


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
    state: EngineState,
    look: EngineReading | None,
    worst: Condition | None,
    *,
    busy: bool,
    halt: bool = False,
    unsure: bool = False,
) -> Observed:
    """Put one look at an engine into the words of `decide`; during an act nothing is known.

    `halt`: a rung of the ladder waits for the engine to stop. `unsure`: see `Observed`.
    """
    if look is None or busy:
        return Observed()
    ended = look.exit if not look.running else None
    if ended is not None and ended.ended < state.last_start:
        ended = None  # the end of a former run
    said = worst if worst and worst.remedy is not Remedy.RESTART else ended or worst
    return Observed(
        running=look.running,
        answering=answering(look),
        in_flight=_in_flight(look),
        remedy=worst.remedy if worst else Remedy.NONE,
        reason=said.reason if said else "",
        message=said.message if said else "",
        hopeless=ended is not None and ended.kind.hopeless,
        fatal=worst is not None and worst.fatal,
        halt=halt,
        stale=_stale(state, look),
        unsure=unsure,
    )


def alarm(worst: Condition | None) -> Observed:
    """Put a fault that was pushed to us into the words of `decide`, before anybody looked."""
    if worst is None:
        return Observed()
    return Observed(
        remedy=worst.remedy, reason=worst.reason, message=worst.message, fatal=worst.fatal
    )


def _stale(state: EngineState, look: EngineReading) -> bool:
    """Whether the last start was cut off: an engine of before it still has its port open."""
    before = look.started is not None and look.started.started < state.last_start
    return look.running and before and look.health is not Answer.REFUSED


def _in_flight(look: EngineReading) -> int | None:
    """A closed port holds no request: who drains an engine that loads need not wait for it."""
    return 0 if look.health is Answer.REFUSED else look.load.in_flight


def answering(look: EngineReading) -> bool | None:
    """Say whether the engine has proved by a chat that it answers; None = not tried or too slow."""
    if look.health is Answer.REFUSED:
        return False
    return {Answer.OK: True, Answer.BAD: False}.get(look.chat) if look.chat else None


def subjects(name: str, state: EngineState) -> frozenset[str]:
    """Return what an engine depends on: itself, the node, and the GPUs it was started with.

    Links between GPUs matter only to an engine that uses several.
    """
    found = {f"engine:{name}", "node"}
    if state.gpus:
        found |= {ANY_GPU, *(f"gpu:{uuid}" for uuid in state.gpus)}
    if len(state.gpus) > 1:
        found |= {FABRIC, *(f"fabric:{uuid}" for uuid in state.gpus)}
    return frozenset(found)


def capacity(
    conditions: Iterable[Condition], about: frozenset[str], engine: EngineSpec, gpus: int
) -> float:
    """Return the share of its full work that an engine on `gpus` GPUs can do now, 0 to 1."""
    width = min(1.0, gpus / engine.gpus) if engine.gpus and gpus else 1.0
    return width * min((one.capacity for one in conditions if one.subject in about), default=1.0)
