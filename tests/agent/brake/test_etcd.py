"""The client against slots that lie in a real etcd: killed, frozen, started again."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from agent.fleetlock import FleetLock, Granted, Refused, Slot
from agent.keeper import Keeper
from tests.agent.brake.etcd import Etcd, EtcdFleetLock
from tests.agent.fakes import FakeDisk
from tests.sandbox import tools

DEADLINE = 1.0
GROUPS = ("g", "h")


class Site:
    """An etcd, a FleetLock server in front of it with two slots a group, and nodes."""

    def __init__(self, etcd: Etcd, server: EtcdFleetLock, http: aiohttp.ClientSession) -> None:
        self.etcd, self.server, self._http = etcd, server, http

    def node(self, name: str, groups: tuple[str, ...] = ("g",)) -> Keeper:
        def line(group: str, slot: str) -> Slot:
            return FleetLock(self.server.url, group, slot, self._http, DEADLINE)

        return Keeper(FakeDisk(), lambda: groups, line, name)

    async def holders(self, group: str = "g") -> set[str]:
        return {one.partition(".")[0] for one in await self.server.holders(group)}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    tools.ensure("etcd")
    async with (
        Etcd(tmp_path) as etcd,
        aiohttp.ClientSession() as http,
        EtcdFleetLock(etcd.url, dict.fromkeys(GROUPS, 2)) as server,
    ):
        yield Site(etcd, server, http)


async def test_slots_are_granted_kept_and_given_back(site: Site) -> None:
    a, b, c = (site.node(name) for name in "abc")
    for node in (a, a, b):
        assert isinstance(await node.acquire(), Granted)
    refused = await c.acquire()
    assert isinstance(refused, Refused)
    assert refused.busy
    assert "all 2 slots are taken" in refused.message
    await a.release()
    assert isinstance(await c.acquire(), Granted)
    assert await site.holders() == {"b", "c"}


async def test_all_groups_or_none(site: Site) -> None:
    for name in "ab":
        assert isinstance(await site.node(name, ("h",)).acquire(), Granted)
    assert isinstance(await site.node("c", GROUPS).acquire(), Refused)
    assert await site.holders("g") == set()


async def test_a_group_that_the_server_does_not_know(site: Site) -> None:
    refused = await site.node("a", ("x",)).acquire()
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.busy) == ("LockRejects", False)


async def test_a_store_that_is_killed_grants_nothing_and_forgets_nothing(site: Site) -> None:
    a, b, c = (site.node(name) for name in "abc")
    await a.acquire()
    site.etcd.kill()
    for answer in (await b.acquire(), await a.acquire(), await a.release()):
        assert isinstance(answer, Refused)
        assert not answer.busy
    await site.etcd.start()
    assert await site.holders() == {"a"}
    assert isinstance(await b.acquire(), Granted)
    assert isinstance(await c.acquire(), Refused)
    await a.release()
    assert isinstance(await c.acquire(), Granted)


async def test_a_server_that_is_started_anew_knows_who_holds(site: Site) -> None:
    await site.node("a").acquire()
    async with EtcdFleetLock(site.etcd.url, {"g": 2}) as other:
        site.server = other
        assert await site.holders() == {"a"}
        assert isinstance(await site.node("b").acquire(), Granted)
        assert isinstance(await site.node("c").acquire(), Refused)


async def test_what_a_frozen_store_carries_out_late_is_given_back(site: Site) -> None:
    node = site.node("a")
    site.etcd.freeze()
    try:
        begun = asyncio.get_running_loop().time()
        refused = await node.acquire()
        took = asyncio.get_running_loop().time() - begun
    finally:
        site.etcd.thaw()
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.busy) == ("LockLate", False)
    assert took < 2 * DEADLINE
    await asyncio.sleep(0.5)
    await node.release()
    assert await site.holders() == set()


async def test_a_late_release_takes_nothing_from_who_acts(site: Site) -> None:
    node = site.node("a")
    await node.acquire()
    site.etcd.freeze()
    try:
        await node.release()  # not heard, and carried out later
    finally:
        site.etcd.thaw()
    assert isinstance(await node.acquire(), Granted)
    await asyncio.sleep(0.5)
    assert await site.holders() == {"a"}


NODES, ROUNDS = 20, 12


async def test_never_more_act_than_there_are_slots_while_the_store_dies_again_and_again(
    site: Site,
) -> None:
    dice = random.Random(5)
    acting: set[str] = set()
    acts, most = 0, 0

    async def live(name: str) -> None:
        nonlocal acts, most
        node = site.node(name)
        for _ in range(ROUNDS):
            await asyncio.sleep(dice.uniform(0.0, 0.3))
            if not isinstance(await node.acquire(), Granted):
                continue
            acting.add(name)
            acts, most = acts + 1, max(most, len(acting))
            await asyncio.sleep(dice.uniform(0.02, 0.2))
            acting.remove(name)
            await node.release()

    async def trouble() -> None:
        for _ in range(3):
            await asyncio.sleep(0.5)
            site.etcd.kill()
            await asyncio.sleep(0.2)
            await site.etcd.start()
            await asyncio.sleep(0.3)
            site.etcd.freeze()
            await asyncio.sleep(1.5 * DEADLINE)
            site.etcd.thaw()

    await asyncio.gather(trouble(), *(live(f"n{number}") for number in range(NODES)))
    assert most == 2
    assert acts > ROUNDS
