"""States, looks and policies that the tests of the agent's mind begin with."""

import msgspec

from agent.decide import decide
from agent.model import (
    EngineState,
    Event,
    Goal,
    Observed,
    Phase,
    Policy,
    Remedy,
    Requested,
    Verb,
)

NOW = 1000.0
ACT = Policy(
    act=True,
    budget=3,
    window=600.0,
    backoff=5.0,
    backoff_cap=300.0,
    startup_deadline=300.0,
    drain_deadline=60.0,
)
OBSERVE = msgspec.structs.replace(ACT, act=False)
WELL = Observed(running=True, answering=True, in_flight=0)
BLIND = Observed()
ENDED = Observed(running=False)
FAULT = Observed(running=True, answering=True, in_flight=2, remedy=Remedy.RESTART, reason="Hang")
LOST = Observed(running=True, in_flight=2, remedy=Remedy.QUARANTINE, reason="GpuLost")
SICK = Observed(running=True, in_flight=2, remedy=Remedy.DRAIN, reason="GpuResetRequired")


def state(phase: Phase, **facts: object) -> EngineState:
    """An engine that has been in `phase` for 10 s."""
    known = {"since": NOW - 10, "last_start": NOW - 10, "reason": "Test", "message": "test"}
    return EngineState(phase=phase, **{**known, **facts})  # type: ignore[arg-type]


def asked(verb: Verb) -> Requested:
    return Requested(verb=verb, by="alice", reason="test")


DRAINING = {"goal": Goal.MAINTENANCE, "deadline": NOW + 50, "by": "alice"}
FOR_RESTART = {"goal": Goal.RESTART, "deadline": NOW + 50}


Row = tuple[str, EngineState, Event, Policy, Phase, bool]


def check(before: EngineState, event: Event, policy: Policy, phase: Phase, start: bool) -> None:
    """See that `decide` leads to `phase`, with or without a start."""
    decision = decide(before, event, policy, NOW)
    assert (decision.state.phase, decision.start) == (phase, start)
    if decision.state.phase is not before.phase:
        assert decision.state.since == NOW
        assert decision.state.reason
