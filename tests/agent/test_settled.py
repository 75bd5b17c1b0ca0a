from collections.abc import Iterable

import msgspec

from agent.model import Phase
from agent.settled import FIRST_LOOK, settled
from agent.snapshot import Snapshot
from tests.agent.shown import snapshot


class World:
    """Answers one snapshot after the other, the last for ever; its clock goes with the sleeps."""

    def __init__(self, answers: Iterable[Snapshot | None]) -> None:
        self.answers = list(answers)
        self.now = 0.0

    def look(self) -> Snapshot | None:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def settle(self, wait: float) -> Snapshot | None:
        return settled(self.look, wait, lambda: self.now, self.sleep)


def _with(phase: Phase, *, running: bool | None) -> Snapshot:
    made = snapshot(phase)
    state = msgspec.structs.replace(made.engines["main"].state, phase=phase)
    engine = msgspec.structs.replace(made.engines["main"], state=state, running=running)
    return msgspec.structs.replace(made, engines={"main": engine})


SERVING = _with(Phase.SERVING, running=True)
STARTING = _with(Phase.STARTING, running=True)
UNKNOWN = _with(Phase.SERVING, running=None)


def test_a_known_engine_is_told_at_once() -> None:
    world = World([SERVING])
    assert world.settle(0) is SERVING
    assert world.now == 0


def test_the_first_look_of_a_new_agent_is_waited_for() -> None:
    assert World([None, None, UNKNOWN, SERVING]).settle(0) is SERVING


def test_an_engine_that_starts_is_waited_for_only_when_asked() -> None:
    assert World([STARTING, SERVING]).settle(0) is STARTING
    assert World([STARTING, STARTING, SERVING]).settle(100) is SERVING


def test_there_is_an_end_to_waiting() -> None:
    silent, slow = World([None]), World([STARTING])
    assert silent.settle(0) is None
    assert silent.now >= FIRST_LOOK
    assert slow.settle(60) is STARTING
    assert 60 <= slow.now < 62
