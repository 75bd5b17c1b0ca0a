"""One rung at a time: slot first, then remembered, then done; and the slot is given back."""

import asyncio

import pytest

from agent.climber import ASK_AGAIN, Climber
from agent.errors import SourceError
from agent.fleetlock import SLOTS_TAKEN, Granted, Refused
from agent.ladder import Outcome, Step
from agent.model import Remedy
from tests.agent.fakes import FakeDriver, FakeRungs, Journal

RESET = Step(rung=Remedy.RESET, subject="gpu:A", reason="R", message="m")
REBOOT = Step(rung=Remedy.REBOOT, subject="node", reason="R", message="m")


class Server:
    """A FleetLock server, as far as the journal shows it."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.free, self.hears = True, True

    async def acquire(self) -> Granted | Refused:
        self.journal.append("acquire")
        return Granted("") if self.free else Refused(reason=SLOTS_TAKEN, message="taken")

    async def release(self) -> Refused | None:
        self.journal.append("release")
        return None if self.hears else Refused(reason="LockLate", message="late")


class Hanging(FakeDriver):
    """A call that never returns holds the driver."""

    async def close(self) -> None:
        await super().close()
        raise SourceError("the driver holds a killed NVML worker")


class Rig:
    """A climber with all that is around it; `ends` is what it said of the end of a step."""

    def __init__(self, driver: type[FakeDriver] = FakeDriver) -> None:
        self.journal: Journal = []
        self.server, self.rungs = Server(self.journal), FakeRungs(self.journal)
        self.climber = Climber(self.rungs, self.server, driver(self.journal), self.sleep)
        self.remembers = True
        self.ends: list[tuple[Outcome, str]] = []

    async def sleep(self, seconds: float) -> None:
        self.journal.append(f"sleep {seconds:.0f}")

    def begun(self) -> bool:
        self.journal.append("remember")
        return self.remembers

    async def begin(self, step: Step) -> None:
        self.climber.begin(step, self.begun, lambda how, why: self.ends.append((how, why)))
        await self.climber.settled()

    async def ask(self) -> None:
        self.climber.ask()
        await self.climber.settled()

    async def well(self) -> None:
        self.climber.well()
        await self.climber.settled()


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_slot_then_memory_then_the_act_behind_a_driver_let_go(rig: Rig) -> None:
    await rig.begin(RESET)
    assert rig.journal == ["acquire", "remember", "let go", "reset gpu:A", "look again"]
    assert rig.ends == [(Outcome.DONE, "")]


async def test_without_a_slot_or_a_memory_nothing_is_done(rig: Rig) -> None:
    rig.server.free = False
    await rig.begin(RESET)
    assert (rig.journal, rig.ends, rig.climber.granted) == (["acquire"], [], False)
    rig.server.free, rig.remembers = True, False
    await rig.begin(RESET)
    assert (rig.journal[1:], rig.ends) == (["acquire", "remember"], [])


async def test_a_reset_that_failed_is_told_and_the_driver_looked_at_again(rig: Rig) -> None:
    rig.rungs.error = "in use"
    await rig.begin(RESET)
    assert rig.ends == [(Outcome.FAILED, "in use")]
    assert rig.journal[-1] == "look again"


async def test_a_driver_that_cannot_be_let_go_of_is_looked_at_again_too() -> None:
    rig = Rig(Hanging)
    await rig.begin(RESET)
    assert rig.ends == [(Outcome.FAILED, "the driver holds a killed NVML worker")]
    assert rig.journal[-2:] == ["let go", "look again"]


async def test_a_host_that_does_not_go_down_has_failed(rig: Rig) -> None:
    await rig.begin(REBOOT)
    assert rig.journal == ["acquire", "remember", "reboot", "sleep 300"]
    assert rig.ends == [(Outcome.FAILED, "the host did not go down within 300 s")]


async def test_a_reboot_that_is_refused_has_failed_at_once(rig: Rig) -> None:
    rig.rungs.error = "not allowed"
    await rig.begin(REBOOT)
    assert rig.ends == [(Outcome.FAILED, "not allowed")]
    assert "sleep 300" not in rig.journal


async def test_one_step_at_a_time(rig: Rig) -> None:
    for _ in range(3):
        rig.climber.begin(RESET, rig.begun, lambda *_: None)
        rig.climber.ask()
        rig.climber.well()
    assert rig.climber.busy
    await rig.climber.settled()
    assert not rig.climber.busy
    assert rig.journal.count("acquire") == 1
    assert "release" not in rig.journal


async def test_a_refusal_is_not_asked_again_at_once(rig: Rig) -> None:
    rig.server.free = False
    for _ in range(3):
        await rig.ask()
    assert rig.journal == ["acquire"]
    assert ASK_AGAIN == 30.0


async def test_a_slot_is_given_back_once_and_also_that_of_a_former_life(rig: Rig) -> None:
    for _ in range(3):
        await rig.well()
    assert rig.journal == ["release"]
    await rig.ask()
    assert rig.climber.granted
    for _ in range(3):
        await rig.well()
    assert rig.journal[1:] == ["acquire", "release"]
    assert not rig.climber.granted


async def test_what_was_refused_may_be_held_and_is_given_back(rig: Rig) -> None:
    await rig.well()
    rig.server.free = False
    await rig.ask()
    await rig.well()
    assert rig.journal == ["release", "acquire", "release"]


async def test_a_release_that_was_not_heard_is_tried_again_but_not_at_once(rig: Rig) -> None:
    rig.server.hears = False
    for _ in range(3):
        await rig.well()
    assert rig.journal == ["release"]
    assert not rig.climber.busy  # it keeps nobody waiting


async def test_a_step_that_breaks_leaves_the_climber_free(rig: Rig) -> None:
    def broken() -> bool:
        raise RuntimeError("a bug")

    rig.climber.begin(RESET, broken, lambda *_: None)
    await rig.climber.settled()
    assert not rig.climber.busy
    await asyncio.sleep(0)
    await rig.begin(RESET)
    assert rig.ends == [(Outcome.DONE, "")]
