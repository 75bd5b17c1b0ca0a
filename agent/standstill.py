"""May a rung of the ladder begin? Only when no engine that it touches works any more. Pure."""

from collections.abc import Collection, Mapping

from agent.ladder import Step
from agent.model import AGENT, EngineState, Goal, Phase
from agent.observe import subjects
from agent.xid.standing import ANY_GPU, FABRIC


def touched(step: Step, engines: Mapping[str, EngineState]) -> frozenset[str]:
    """Return the engines that a step takes the ground from.

    A reset of the fabric resets every GPU, also those of engines that use no link.
    """
    ground = ANY_GPU if step.subject == FABRIC else step.subject
    return frozenset(name for name, state in engines.items() if ground in subjects(name, state))


def needed(engines: Mapping[str, EngineState], moving: Collection[str]) -> frozenset[str]:
    """Return the subjects that engines depend on which a rung there could bring back to work.

    Not those of an engine that a person has to release anyway, or that goes on elsewhere.
    """
    bound = {
        name: state
        for name, state in engines.items()
        if state.phase is not Phase.QUARANTINED and name not in moving
    }
    return frozenset().union(*(subjects(name, state) for name, state in bound.items()))


def by_person(state: EngineState) -> bool:
    """Whether an engine is in the hands of a person, who has drained it or is doing so."""
    if state.by == AGENT:
        return False
    draining = state.phase is Phase.DRAINING and state.goal in {Goal.MAINTENANCE, Goal.REPLACE}
    return draining or state.phase is Phase.DRAINED


def held(step: Step, engines: Mapping[str, EngineState], running: Mapping[str, bool | None]) -> str:
    """Return why the step must still wait for engines; "" when none stands in its way."""
    states = [engines[name] for name in touched(step, engines)]
    if any(state.phase not in {Phase.DRAINED, Phase.QUARANTINED} for state in states):
        return "EnginesDraining"
    if any(running.get(name) is not False for name in touched(step, engines)):
        return "EnginesStopping"
    return ""


def person(step: Step, engines: Mapping[str, EngineState]) -> str:
    """Return why the step is a person's to allow; "" when it is nobody's.

    An engine that a person has drained is in that person's hands, and so is its GPU.
    """
    hands = any(by_person(engines[name]) for name in touched(step, engines))
    return "PersonAtWork" if hands else ""
