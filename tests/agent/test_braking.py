"""One slot for all of a node: rungs, deploys and corrections."""

import pytest

from agent.braking import Braking
from agent.climber import Climber
from agent.errors import NoSlotError
from agent.keeper import Keeper
from agent.model import AGENT, EngineState, Goal, Phase, Verb
from tests.agent.fakes import FakeClock, FakeDisk, FakeDriver, FakeRungs
from tests.agent.node import engine
from tests.agent.test_keeper import FULL, Line, World

SERVING = engine(phase=Phase.SERVING)
DRAINED = engine(phase=Phase.DRAINED, goal=Goal.MAINTENANCE, by="drift")


class Rig:
    """A node of two engines, with a server that answers as it is told."""

    def __init__(self) -> None:
        self.world, self.clock, self.now = World("g"), FakeClock(1e6), 0.0
        self.disk: FakeDisk = self.world.disk
        self.engines: dict[str, EngineState] = {"one": SERVING, "two": SERVING}
        self.begin()

    def begin(self) -> None:
        """A life of the agent, with what is on disk."""
        self.disk.slots = self.disk.saved
        keeper = Keeper(
            self.disk, lambda: ("g",), lambda g, n: Line(self.world, g, n), "host",
            steady=lambda: self.now,
        )  # fmt: skip
        rungs, driver = FakeRungs([]), FakeDriver([])
        self.climber = Climber(rungs, keeper, driver, clock=lambda: self.now)
        self.braking = Braking(self.disk, self.climber, self.clock)

    async def turn(self, *, due: bool = False, waits: bool = False) -> list[str]:
        """One tick; return what the server was asked."""
        self.braking.turn(self.engines, {}, due=due, waits=waits)
        await self.climber.settled()
        self.disk.save()
        return self.world.made()

    def take_out(self, name: str, verb: Verb = Verb.RESTART) -> bool:
        try:
            self.braking.take_out(name, self.engines[name], verb)
        except NoSlotError:
            return False
        return True

    async def later(self, seconds: float) -> list[str]:
        self.now += seconds
        self.clock.now += seconds
        return await self.turn()


@pytest.fixture
async def rig() -> Rig:
    return Rig()


async def test_who_waits_gets_a_slot_that_stays_until_the_engine_serves_again(rig: Rig) -> None:
    assert not rig.take_out("one")
    assert await rig.turn() == ["acquire g"]
    assert rig.take_out("one")
    rig.engines["one"] = DRAINED
    assert await rig.later(3600.0) == []
    rig.engines["one"] = SERVING
    assert await rig.later(1.0) == ["release g"]


async def test_who_does_not_ask_any_more_is_forgotten_and_the_slot_given_back(rig: Rig) -> None:
    assert not rig.take_out("one")
    assert await rig.turn() == ["acquire g"]
    assert await rig.later(14.0) == []
    assert await rig.later(2.0) == ["release g"]
    assert not rig.take_out("one")


async def test_all_slots_taken_it_is_asked_again_and_nothing_is_taken_out(rig: Rig) -> None:
    rig.world.answers["acquire g"] = FULL
    assert not rig.take_out("one")
    assert await rig.turn() == ["acquire g"]
    assert await rig.later(5.0) == []
    with pytest.raises(NoSlotError, match="all 1 slots are taken"):
        rig.braking.take_out("one", SERVING, Verb.DRAIN)
    assert await rig.later(6.0) == ["acquire g"]
    assert rig.disk.slots.out == ()


async def test_what_takes_nobody_out_waits_for_nothing(rig: Rig) -> None:
    rig.engines["one"] = engine(phase=Phase.QUARANTINED)
    assert rig.take_out("one")
    assert rig.take_out("two", Verb.UNDRAIN)
    assert rig.disk.slots.out == ()


async def test_one_slot_is_enough_for_all_engines_of_the_node(rig: Rig) -> None:
    rig.take_out("one")
    await rig.turn()
    assert rig.take_out("one")
    rig.engines["one"] = DRAINED
    assert rig.take_out("two")
    assert await rig.turn() == []


async def test_a_drain_of_what_is_out_by_a_rung_stays_under_its_slot(rig: Rig) -> None:
    rig.engines["one"] = engine(phase=Phase.DRAINED, goal=Goal.FAULT, by=AGENT)
    assert await rig.turn(due=True, waits=True) == ["acquire g"]
    rig.engines["one"] = engine(phase=Phase.STARTING)  # the rung is over
    assert rig.take_out("one", Verb.DRAIN)
    rig.engines["one"] = DRAINED
    assert await rig.turn() == []


async def test_an_agent_that_was_killed_keeps_the_slot_of_who_is_out(rig: Rig) -> None:
    rig.take_out("one")
    await rig.turn()
    rig.take_out("one")
    rig.engines["one"] = DRAINED
    await rig.turn()
    rig.begin()
    assert await rig.later(1.0) == []
    rig.engines["one"] = SERVING
    assert await rig.later(1.0) == ["release g"]


async def test_a_person_frees_the_slot_at_once(rig: Rig) -> None:
    rig.take_out("one")
    await rig.turn()
    rig.take_out("one")
    rig.engines["one"] = DRAINED
    assert rig.braking.free().startswith("host.")
    rig.engines["two"] = SERVING
    assert not rig.take_out("two")  # under a slot that is no more
    await rig.climber.settled()
    assert rig.world.made() == ["release g"]


async def test_no_later_slot_is_kept_for_whom_a_person_has_freed_it(rig: Rig) -> None:
    rig.take_out("one")
    await rig.turn()
    rig.take_out("one")
    rig.engines["one"] = DRAINED
    rig.braking.free()
    await rig.climber.settled()
    rig.take_out("two")
    await rig.turn()
    assert rig.take_out("two")
    assert rig.disk.slots.out == ("two",)
    rig.engines["two"] = engine(phase=Phase.STARTING)
    rig.world.made()
    assert await rig.later(31.0) == []
    rig.engines["two"] = SERVING
    assert await rig.later(1.0) == ["release g"]


async def test_a_slot_freed_while_a_call_is_under_way_is_given_back_after_it(rig: Rig) -> None:
    rig.take_out("one")
    await rig.turn()
    rig.take_out("one")
    rig.engines["one"] = DRAINED
    rig.clock.now += 20.0
    rig.climber.ask()
    rig.braking.free()
    assert not rig.climber.granted
    await rig.climber.settled()
    rig.world.made()
    assert await rig.turn() in (["release g"], [])
    assert rig.disk.slots.owed == ()
