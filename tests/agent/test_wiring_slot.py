"""The slot as the process wires it: a group for each model, a name that begins with the host's."""

from pathlib import Path

import aiohttp
import pytest

from agent.fleetlock import Granted, NoLock
from agent.memory import Memory
from agent.slots import Slots
from agent.spec import HostSpec
from agent.store import Store
from agent.wiring import slot_of
from tests.agent.fleetlock_server import FleetLockServer
from tests.agent.node import DATA

GROUPS = {"stoker.a-b": 1, "stoker.old-model": 1, "all": 1}


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(Store(tmp_path / "state.json"), "boot-1")


async def test_a_group_for_each_model_that_is_served_or_is_to_be(memory: Memory) -> None:
    memory.change(slots=Slots(models=("old/model",)))
    async with FleetLockServer(GROUPS) as server, aiohttp.ClientSession() as http:
        spec = HostSpec.from_data("gpu-1", {**DATA, "agent_fleetlock_url": server.url})
        slot = slot_of(spec, http, memory)
        assert isinstance(await slot.acquire(), Granted)
        held = {group: holders for group, holders in server.holders.items() if holders}
        assert held.keys() == {"stoker.a-b", "stoker.old-model"}
        assert held["stoker.a-b"] == {memory.state.slots.name}
        assert memory.state.slots.name.startswith("gpu-1.")
        await slot.release()
        assert not any(server.holders.values())


async def test_one_group_for_all_where_that_is_wanted(memory: Memory) -> None:
    async with FleetLockServer(GROUPS) as server, aiohttp.ClientSession() as http:
        wanted = {"agent_fleetlock_url": server.url, "agent_fleetlock_group": "all"}
        spec = HostSpec.from_data("gpu-1", {**DATA, **wanted})
        assert isinstance(await slot_of(spec, http, memory).acquire(), Granted)
        assert len(server.holders["all"]) == 1


async def test_without_a_server_it_is_always_free(memory: Memory) -> None:
    async with aiohttp.ClientSession() as http:
        assert isinstance(slot_of(HostSpec.from_data("gpu-1", DATA), http, memory), NoLock)
