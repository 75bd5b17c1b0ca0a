"""An engine that does nothing any more is stopped in haste, and its deaf runner is killed."""

import signal

from agent.converge import Converger
from agent.errors import ActionError
from agent.model import Phase
from tests.agent.fakes import FakeGates, FakeUnits
from tests.agent.node import UNIT, engine

QUIT, KILL = (f"kill -{int(number)} {UNIT}" for number in (signal.SIGQUIT, signal.SIGKILL))


class DeafUnits(FakeUnits):
    """Nothing is stopped before its runner was killed; no signal arrives where there is no unit."""

    def __init__(self, *, killable: bool = True) -> None:
        super().__init__([])
        self.killable = killable

    async def kill(self, unit: str, signal: int) -> None:
        await super().kill(unit, signal)
        if not self.killable:
            raise ActionError("no such unit")

    async def restart(self, unit: str, deadline: float) -> None:
        await super().restart(unit, deadline)
        if KILL not in self.journal:
            raise ActionError(f"restart {unit}: not done within {deadline:g} s")


async def test_a_runner_that_does_not_hear_is_killed() -> None:
    units = DeafUnits()
    converger = Converger(units, FakeGates(), 60.0)
    converger.start("main", haste=True)
    await converger.settled()
    assert units.journal == [QUIT, f"restart {UNIT}", KILL, f"restart {UNIT}"]


async def test_one_that_is_gone_already_is_started_all_the_same() -> None:
    units = FakeUnits([])
    converger = Converger(units, FakeGates(), 60.0)
    converger.settle("main", engine(phase=Phase.DRAINED, halted=True), running=True)
    await converger.settled()
    assert units.journal == [QUIT, f"stop {UNIT}"]
    gone = DeafUnits(killable=False)
    gone.journal.append(KILL)
    converger = Converger(gone, FakeGates(), 60.0)
    converger.start("main", haste=True)
    await converger.settled()
    assert gone.journal[1:] == [QUIT, f"restart {UNIT}"]


async def test_without_haste_no_signal_is_sent() -> None:
    units = FakeUnits([])
    converger = Converger(units, FakeGates(), 60.0)
    converger.start("main")
    await converger.settled()
    assert units.journal == [f"restart {UNIT}"]
