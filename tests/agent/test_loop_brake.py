"""Requests with a slot, in the loop: nothing is touched without one, and it outlives the agent."""

from pathlib import Path

import pytest

from agent.errors import NoSlotError
from agent.fleetlock import SLOTS_TAKEN, Granted, Refused, Slot
from agent.keeper import InState, Keeper
from agent.model import EngineState, Goal, Phase, Requested, Verb
from tests.agent.fakes import FakeUnits, gone, look
from tests.agent.node import UNIT, Node


class Server:
    """One slot, and who has it."""

    def __init__(self) -> None:
        self.holders: set[str] = set()

    def line(self, _: str, name: str) -> Slot:
        return Line(self, name)


class Line:
    def __init__(self, server: Server, name: str) -> None:
        self._server, self._name = server, name

    async def acquire(self) -> Granted | Refused:
        if self._server.holders - {self._name}:
            return Refused(reason=SLOTS_TAKEN, message="all 1 slots are taken")
        self._server.holders.add(self._name)
        return Granted("")

    async def release(self) -> Refused | None:
        self._server.holders.discard(self._name)
        return None


class Braked(Node):
    """One agent with a FleetLock server."""

    def __init__(self, path: Path, server: Server) -> None:
        super().__init__(path)
        keeper = Keeper(InState(self.memory), lambda: ("g",), server.line, "host")
        self.climber._slot = keeper  # it needs the memory, made in between
        self.loop.begin()

    def roll(self, verb: Verb = Verb.RESTART) -> EngineState:
        asked = Requested(verb=verb, by="deploy:ann", reason="new settings", slot=True)
        return self.loop.request("main", asked)


async def serving(path: Path, server: Server) -> Braked:
    node = Braked(path, server)
    await node.converger.settled()
    node.engine.value = look()
    await node.tick()
    assert node.state.phase is Phase.SERVING
    node.journal.clear()
    return node


async def granted(node: Braked, verb: Verb) -> EngineState:
    with pytest.raises(NoSlotError):
        node.roll(verb)
    await node.tick()
    return node.roll(verb)


async def test_a_restart_waits_for_a_slot_and_gives_it_back_when_the_engine_serves(
    tmp_path: Path,
) -> None:
    server = Server()
    node = await serving(tmp_path, server)
    server.holders.add("other")
    with pytest.raises(NoSlotError, match="no slot of the fleet brake yet"):
        node.roll()
    await node.tick()
    assert (node.acts, node.state.phase, node.gates.open["main"]) == ([], Phase.SERVING, True)
    server.holders.clear()
    node.climber._ask_at = 0.0  # time has passed
    await granted(node, Verb.RESTART)
    assert (node.state.phase, node.state.goal) == (Phase.DRAINING, Goal.RESTART)
    node.engine.value = look(chat=None)  # it is idle, and then it loads
    for _ in range(4):
        await node.tick()
        assert len(server.holders) == 1
    assert node.acts == [f"restart {UNIT}"]
    node.engine.value = look()
    await node.tick()
    assert (node.state.phase, server.holders) == (Phase.SERVING, set())


async def test_a_drained_engine_keeps_the_slot_over_the_agents_end_until_it_serves(
    tmp_path: Path,
) -> None:
    server = Server()
    node = await serving(tmp_path, server)
    await granted(node, Verb.DRAIN)
    for _ in range(3):
        await node.tick()
    assert node.state.phase is Phase.DRAINED
    again = Braked(tmp_path, server)
    again.engine.value = look()
    for _ in range(3):
        await again.tick()
    assert (again.state.phase, len(server.holders)) == (Phase.DRAINED, 1)
    again.roll(Verb.UNDRAIN)
    for _ in range(2):
        await again.tick()
    assert (again.state.phase, server.holders) == (Phase.SERVING, set())


async def test_a_person_needs_no_slot_and_one_that_ended_is_restarted_without(
    tmp_path: Path,
) -> None:
    server = Server()
    node = await serving(tmp_path, server)
    server.holders.add("other")
    node.engine.value = gone()
    await node.tick()
    assert node.acts == [f"restart {UNIT}"]
    node.engine.value = look()
    await node.tick()
    assert node.ask(Verb.DRAIN).phase is Phase.DRAINING
    assert isinstance(node.units, FakeUnits)
    assert server.holders == {"other"}


async def test_a_person_frees_the_slot_of_a_node_that_is_out(tmp_path: Path) -> None:
    server = Server()
    node = await serving(tmp_path, server)
    await granted(node, Verb.DRAIN)
    await node.tick()
    node.loop.free("ann", "it stays out for weeks")
    await node.climber.settled()
    assert server.holders == set()
    assert '"slot freed"' in node.audit.read_text()
