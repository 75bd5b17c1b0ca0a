"""The slot of a node: what is on disk before the server hears of it, and what is owed after."""

from typing import Any

import pytest

from agent import slots
from agent.fleetlock import SLOTS_TAKEN, Granted, Refused
from agent.keeper import Keeper
from tests.agent.fakes import FakeDisk

FULL = Refused(reason=SLOTS_TAKEN, message="all 1 slots are taken")
LATE = Refused(reason="LockLate", message="no answer")
REJECTS = Refused(reason="LockRejects", message="unknown group")


class World:
    """A server that answers as it is told, and remembers what was on disk when it was asked."""

    def __init__(self, *groups: str) -> None:
        self.disk, self.steady = FakeDisk(), 0.0
        self.answers: dict[str, Refused] = {}  # by "acquire GROUP" or "release GROUP"
        self.calls: list[str] = []
        self.saved: list[slots.Slots] = []
        self.keeper = Keeper(
            self.disk,
            lambda: groups,
            lambda group, name: Line(self, group, name),
            "host",
            clock=lambda: 1000.0,
            steady=lambda: self.steady,
        )

    @property
    def name(self) -> str:
        return self.disk.slots.name

    def made(self) -> list[str]:
        """Return the calls since the last look."""
        made, self.calls = self.calls, []
        return made


class Line:
    def __init__(self, world: World, group: str, name: str) -> None:
        self.world, self.group, self.name = world, group, name

    async def acquire(self) -> Granted | Refused:
        return self._call("acquire") or Granted("")

    async def release(self) -> Refused | None:
        return self._call("release")

    def _call(self, verb: str) -> Refused | None:
        self.world.calls.append(f"{verb} {self.group}")
        self.world.saved.append(self.world.disk.saved)
        return self.world.answers.get(f"{verb} {self.group}")


@pytest.fixture
def world() -> World:
    return World("a", "b")


async def test_all_groups_are_taken_in_order_each_on_disk_before_it_is_asked_for(
    world: World,
) -> None:
    assert isinstance(await world.keeper.acquire(), Granted)
    assert world.made() == ["acquire a", "acquire b"]
    assert [one.asked for one in world.saved] == [("a",), ("a", "b")]
    assert {one.name for one in world.saved} == {world.name}
    assert world.name.startswith("host.")
    assert world.disk.saved.got == ("a", "b")


async def test_a_slot_that_is_held_is_asked_for_again_under_its_name(world: World) -> None:
    await world.keeper.acquire()
    name = world.name
    assert isinstance(await world.keeper.acquire(), Granted)
    assert world.name == name
    assert world.made() == ["acquire a", "acquire b"] * 2


async def test_one_that_is_taken_leaves_none_held(world: World) -> None:
    world.answers["acquire b"] = FULL
    assert await world.keeper.acquire() == FULL
    assert world.made() == ["acquire a", "acquire b", "release a", "release b"]
    assert (world.name, world.disk.saved.owed) == ("", ())
    assert world.disk.saved.refusal == FULL.message


async def test_who_gives_back_does_so_on_disk_first_and_never_goes_by_that_name_again(
    world: World,
) -> None:
    await world.keeper.acquire()
    name = world.name
    world.saved.clear()
    await world.keeper.release()
    assert [one.name for one in world.saved] == ["", ""]
    assert [len(one.owed) for one in world.saved] == [2, 1]
    await world.keeper.acquire()
    assert world.name not in {"", name}


async def test_a_slot_is_given_back_until_the_server_says_yes_and_once_more_later(
    world: World,
) -> None:
    await world.keeper.acquire()
    world.made()
    world.answers["release a"] = LATE
    assert isinstance(await world.keeper.release(), Refused)
    assert world.made() == ["release a"]  # a server that does not answer is left alone
    world.answers.clear()
    for seconds, calls in (
        (0.0, ["release a", "release b"]),
        (1.0, []),
        (slots.SETTLING - 1.0, []),
        (slots.SETTLING + 1.0, ["release a", "release b"]),
        (3 * slots.SETTLING, []),
    ):
        world.steady = seconds
        problem = await world.keeper.release()
        assert world.made() == calls, seconds
    assert problem is None


async def test_a_group_that_the_server_rejects_keeps_no_other_from_being_given_back(
    world: World,
) -> None:
    await world.keeper.acquire()
    world.made()
    world.answers["release a"] = REJECTS
    await world.keeper.release()
    assert world.made() == ["release a", "release b"]
    assert [one.group for one in world.disk.saved.owed] == ["a"]


async def test_what_is_owed_is_given_back_before_more_is_asked_for(world: World) -> None:
    world.answers |= {"acquire a": LATE, "release a": LATE}
    assert await world.keeper.acquire() == LATE
    await world.keeper.release()
    world.answers.clear()
    world.made()
    assert isinstance(await world.keeper.acquire(), Granted)
    assert world.made() == ["release a", "acquire a", "acquire b"]


async def test_what_cannot_be_saved_is_neither_asked_for_nor_given_back(world: World) -> None:
    world.disk.full = True
    assert isinstance(await world.keeper.acquire(), Refused)
    assert (world.made(), world.name) == ([], "")
    world.disk.full = False
    await world.keeper.acquire()
    world.made()
    name, world.disk.full = world.name, True
    assert isinstance(await world.keeper.release(), Refused)
    assert (world.made(), world.name) == ([], name)


async def test_a_person_who_frees_the_slot_meanwhile_is_obeyed(world: World) -> None:
    def free(_: Any = None) -> Granted:
        world.disk.slots = slots.given_back(world.disk.slots)
        return Granted("")

    class Freed(Line):
        async def acquire(self) -> Granted | Refused:
            return free()

    keeper = Keeper(world.disk, lambda: ("a",), lambda g, n: Freed(world, g, n), "host")
    assert isinstance(await keeper.acquire(), Refused)
    assert (world.name, len(world.disk.slots.owed)) == ("", 1)


async def test_a_node_that_cannot_give_back_takes_no_more(world: World) -> None:
    world.answers["release b"] = LATE
    await world.keeper.acquire()
    await world.keeper.release()
    world.made()
    refused = await world.keeper.acquire()
    assert isinstance(refused, Refused)
    assert "to be given back: b of host." in refused.message
    assert world.made() == ["release b"]


async def test_what_is_owed_in_a_group_that_is_no_more_is_in_nobodys_way(world: World) -> None:
    world.disk.slots = slots.given_back(slots.asking(slots.named(slots.Slots(), "n", 0.0), "old"))
    world.answers["release old"] = REJECTS
    assert isinstance(await world.keeper.acquire(), Granted)
