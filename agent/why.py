"""Why an engine is where it is, what comes next, and how a person moves it on. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from agent.audit import Record
from agent.facts import buses
from agent.ladder import Attempt, Step
from agent.model import AGENT, Condition, EngineState, Goal, Phase, Remedy, Value
from agent.observe import subjects
from agent.snapshot import EngineView, Snapshot
from agent.waits import sentences
from agent.xid.fault import Kind
from agent.xid.incident import Incident

DECISIONS = 10
LOOK_BACK = 1000  # records of the audit log in which they are looked for


class Waiting(Value, frozen=True, kw_only=True):
    """A rung of the ladder that is due. `reason` is the token of why it waits; "" = it does not."""

    rung: Remedy
    subject: str
    because: str
    reason: str
    why: str
    advice: str


class Explanation(Value, frozen=True, kw_only=True):
    """The answer to "why". `release` are the commands that end it, in the order of their use."""

    engine: str
    state: EngineState
    conditions: tuple[Condition, ...]
    incidents: tuple[Incident, ...]
    waiting: tuple[Waiting, ...]
    tried: tuple[Attempt, ...]
    next: str
    release: tuple[str, ...]
    decisions: tuple[Record, ...]


def explain(snapshot: Snapshot, name: str, records: Sequence[Record]) -> Explanation:
    """Explain the state of one engine; `records` are of the audit log, oldest first."""
    engine = snapshot.engines[name]
    about = subjects(name, engine.state)
    incidents = tuple(_incidents(snapshot, engine.state))
    mine = [one for one in records if one.engine in {"", name}]
    return Explanation(
        engine=name,
        state=engine.state,
        conditions=tuple(one for one in snapshot.conditions if one.subject in about),
        incidents=incidents,
        waiting=tuple(_waiting(one) for one in snapshot.steps if one.subject in about),
        tried=tuple(one for one in snapshot.attempts if one.subject in about),
        next=_next(engine),
        release=tuple(_release(name, engine.state, incidents)),
        decisions=tuple(mine[-DECISIONS:]),
    )


def _incidents(snapshot: Snapshot, state: EngineState) -> Iterator[Incident]:
    """Those of the engine's GPUs, and those that may be: their GPU or switch is not known."""
    places = buses(snapshot.gpus.gpus, {}) if snapshot.gpus else {}
    for one in snapshot.incidents:
        if one.kind is Kind.SXID or places.get(one.gpu) in {None, *state.gpus}:
            yield one


def _waiting(step: Step) -> Waiting:
    why, advice = sentences(step)
    return Waiting(
        rung=step.rung,
        subject=step.subject,
        because=step.message,
        reason=step.waits,
        why=why,
        advice=advice,
    )


def _next(engine: EngineView) -> str:
    state = engine.state
    match state.phase:
        case Phase.SERVING:
            return _observed(engine) if engine.advice > Remedy.NONE else "nothing: it serves"
        case Phase.STARTING:
            return _starting(engine)
        case Phase.DRAINING:
            return f"{_AFTER[state.goal]}, as soon as no request is in flight ({_flight(engine)})"
        case Phase.DRAINED:
            if state.by == AGENT:
                return "it serves again by itself when what stands against it has cleared"
            return f"nothing, until somebody undrains it: it was {state.by} who drained it"
        case Phase.QUARANTINED:
            return "nothing, until a named person releases it"


_AFTER = {
    None: "it is drained",
    Goal.RESTART: "it is restarted",
    Goal.MAINTENANCE: "it is drained",
    Goal.REPLACE: "it is restarted behind its closed gate",
    Goal.FAULT: "it is drained until the fault has cleared",
    Goal.QUARANTINE: "it is quarantined",
}


def _starting(engine: EngineView) -> str:
    left = f"{engine.restarts_left} restarts by the agent are left"
    if engine.running:
        return f"it serves as soon as it answers a chat completion; {left}"
    if engine.running is None:
        return "the agent could not look at it yet"
    if engine.advice > Remedy.NONE:
        return _observed(engine)
    return f"it is started again, after a pause that grows with each restart; {left}"


def _observed(engine: EngineView) -> str:
    would = f"the agent would {engine.advice.value}, but only observes"
    return f'nothing: {would} (agent_remediation = "act" lets it)'


def _flight(engine: EngineView) -> str:
    return "not known how many are" if engine.in_flight is None else f"{engine.in_flight} now"


def _release(name: str, state: EngineState, incidents: Iterable[Incident]) -> Iterator[str]:
    if state.phase in {Phase.SERVING, Phase.STARTING}:
        return
    for one in incidents:
        if one.verdict is not None and one.verdict.remedy > Remedy.RESTART:
            yield f'stokerctl ack {one.id} --reason "…"'
    if state.phase is Phase.QUARANTINED or state.by != AGENT:
        yield f'stokerctl undrain {name} --reason "…"'
