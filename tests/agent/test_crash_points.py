"""The agent is killed at every write of its state and at every act, and the story goes on.

A world outlives the agent: engine, GPU, gate, FleetLock server, kernel log, disk. Each story is
told once to count the points at which it can be cut, and then once for each of them. At a point
the agent is gone without any cleanup, and a new one begins on the same disk.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agent.errors import ActionError
from agent.fleetlock import SLOTS_TAKEN, Granted, Refused
from agent.ladder import Outcome
from agent.model import Phase, Remedy, Requested, Verb
from agent.reports import Started
from agent.sources.engine import Answer, EngineReading
from agent.sources.gpu import NvmlReading
from agent.spec import HostSpec
from agent.state import NodeState
from agent.xid import line
from agent.xid.fault import KernelFault
from tests.agent.fakes import FakeGates, FakeRungs, FakeUnits, JournalStore, gone, look, nvml
from tests.agent.node import DATA, Node, engine

SPEC = HostSpec.from_data(
    "host",
    {
        **DATA,
        "agent_failures": 1,
        "agent_arm_reset": True,
        "agent_arm_reboot": True,
        "agent_restart_budget": 2,
        "agent_backoff_cap": 20.0,
    },
)
BEGIN, LONG = 1000.0, 1500.0  # seconds
LOADING = 8.0  # seconds from an engine's start to its first answer
FATAL = "NVRM: Xid (PCI:0000:00:00): 95, pid=1, name=x, Uncontained error"
LATCH = "NVRM: Xid (PCI:0000:00:00): 64, pid=1, name=x, row remapping failure"


class KilledError(BaseException):
    """The agent is no more."""


class World:
    """All that outlives the agent, and the promises about it.

    `cut` is the number of the point at which the agent is killed; the next one lives for ever.
    """

    def __init__(self, path: Path, cut: int | None = None) -> None:
        self.path, self.cut = path, cut
        self.now, self.boot = BEGIN, 1
        self.points = 0
        self.dead = False
        self.acts: list[str] = []
        self.up, self.since = True, 0.0
        self.gate_open, self.sick, self.hung, self.brittle = True, False, False, False
        self.resets = self.reboots = self.heals_by_reset = self.heals_by_reboot = False
        self.remap_failed = False
        self.log: list[KernelFault] = []
        self.holds_slot = False
        self.starts: list[float] = []
        self.latched = False

    def point(self) -> None:
        """One place where the agent may be killed; a dead one does nothing any more."""
        if self.dead:
            raise KilledError
        self.points += 1
        if self.points == self.cut:
            self.dead = True
            raise KilledError

    def act(self, name: str, effect: Callable[[], None]) -> None:
        """Something that the agent does, with a point before and one after it."""
        self.point()
        self.acts.append(name)
        effect()
        self.point()

    def tell(self, text: str) -> None:
        """Write a line into the kernel's log."""
        found = line.parse(text)
        assert found
        at = {"at": self.now, "boot": f"boot-{self.boot}", "seq": len(self.log) + 1}
        self.log.append(msgspec.structs.replace(found, **at))

    def start(self) -> None:
        self.starts.append(self.now)
        self.up, self.since, self.hung = True, self.now, False

    def stop(self) -> None:
        self.up = False

    def reset(self) -> None:
        assert self.holds_slot, "reset without a slot"
        assert not self.up, "reset under a running engine"
        if not self.resets:
            raise ActionError("in use by x (77)")
        self.sick = self.sick and not self.heals_by_reset
        self.tell("stoker: gpu 00000000:00:00 reset done")

    def reboot(self) -> None:
        assert self.holds_slot, "reboot without a slot"
        if not self.reboots:
            return
        self.boot, self.log, self.up, self.gate_open = self.boot + 1, [], False, False
        self.sick = self.sick and not self.heals_by_reboot
        self.dead = True  # with the host
        raise KilledError

    def set_gate(self, *, is_open: bool) -> None:
        self.point()
        if is_open and not self.gate_open:
            assert not self.sick, "the gate was opened while the fault stands"
            assert not self.latched, "a latch was lost"
        self.gate_open = is_open

    def engine(self) -> EngineReading:
        if self.up and self.brittle:
            self.up = False
        if not self.up:
            return gone()
        started = Started(
            engine="main", digest="d", container="c", gpus=("GPU-0",), started=self.since
        )
        if self.now - self.since < LOADING:
            return look(started=started, health=Answer.REFUSED, chat=None)
        health = Answer.BAD if self.hung else Answer.OK
        return look(started=started, health=health, loaded=True)

    def gpus(self) -> NvmlReading:
        return nvml(recovery_action=1 if self.sick else 0, remap_failed=self.remap_failed)


class Units(FakeUnits):
    def __init__(self, world: World) -> None:
        super().__init__([])
        self.world = world

    async def restart(self, unit: str, deadline: float) -> None:
        self.world.act("restart", self.world.start)

    async def kill(self, unit: str, signal: int) -> None:
        self.world.point()

    async def stop(self, unit: str, deadline: float) -> None:
        self.world.act("stop", self.world.stop)


class Rungs(FakeRungs):
    def __init__(self, world: World) -> None:
        super().__init__([])
        self.world = world

    async def reset(self, subject: str) -> None:
        self.world.act(f"reset {subject}", self.world.reset)

    async def reboot(self) -> None:
        self.world.act("reboot", self.world.reboot)


class Lock:
    """A FleetLock server with one slot, which another node holds until `free`."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def acquire(self) -> Granted | Refused:
        self.world.act("acquire", self._take)
        if self.world.holds_slot:
            return Granted("yours")
        return Refused(reason=SLOTS_TAKEN, message="taken")

    async def release(self) -> Refused | None:
        self.world.act("release", self._give)
        return None

    def _take(self) -> None:
        self.world.holds_slot = True

    def _give(self) -> None:
        self.world.holds_slot = False


class Gates(FakeGates):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def set(self, engine: str, *, is_open: bool) -> None:
        if is_open != self.world.gate_open:
            self.world.set_gate(is_open=is_open)


class Disk(JournalStore):
    """The real store. Killed before the rename, it leaves half a file beside the old one."""

    def __init__(self, world: World) -> None:
        super().__init__(world.path / "state.json", [])
        self.world = world

    def save(self, state: NodeState) -> None:
        try:
            self.world.point()
        except KilledError:
            (self.world.path / "state.json.new").write_bytes(msgspec.json.encode(state)[:100])
            raise
        super().save(state)
        self.world.point()


class Seen:
    """A source that shows the world as it is."""

    def __init__(self, value: Callable[[], object]) -> None:
        self.value = value

    async def read(self) -> object:
        return self.value()


class Agent(Node):
    """One life of the agent in a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        super().__init__(world.path, SPEC, f"boot-{world.boot}", Lock(world))
        self.clock.now = world.now

    def furnish(self, path: Path) -> None:
        super().furnish(path)
        world = self.world
        self.units, self.gates, self.rungs = Units(world), Gates(world), Rungs(world)
        self.store = Disk(world)
        self.engine, self.nvml = Seen(world.engine), Seen(world.gpus)  # type: ignore[assignment]


Story = Callable[[World, Agent], bool]  # what happens in a second; True = it is over


async def live(world: World, story: Story) -> Agent:
    """Tell a story to its end, with as many agents as it takes."""
    here = asyncio.all_tasks()
    while True:
        agent = Agent(world)
        try:
            if await _life(world, agent, story):
                return agent
        except KilledError:
            pass
        assert world.dead
        for task in asyncio.all_tasks() - here:
            task.cancel()
        await asyncio.sleep(0)
        world.dead = False
        world.now += 2.0


async def _life(world: World, agent: Agent, story: Story) -> bool:
    agent.loop.begin()
    agent.loop.told(world.log)  # it reads the kernel's log from the boot on
    while world.now < BEGIN + LONG:
        over, told = story(world, agent), len(world.log)
        step = 1.0 if world.now < BEGIN + 100 else 15.0
        agent.clock.now = world.now = world.now + step
        await agent.tick(0.0)
        agent.loop.told(world.log[told:])
        if world.dead:
            raise KilledError
        assert not (world.gate_open and world.sick), "the gate is open while the fault stands"
        serves = agent.state.phase is Phase.SERVING
        assert world.gate_open is serves
        if over:
            return True
    raise AssertionError(f"the story has no end: {agent.state}")


def remember(world: World) -> World:
    state = NodeState(
        boot="boot-1",
        engines={"main": engine(phase=Phase.SERVING, gpus=("GPU-0",), last_start=1.0)},
        buses={"00000000:00:00": "GPU-0"},
    )
    JournalStore(world.path / "state.json", []).save(state)
    return world


def phase(agent: Agent) -> Phase:
    """As the agent remembers it; it may not have shown anything yet."""
    return agent.memory.state.engines["main"].phase


def falls_ill(text: str = FATAL) -> Story:
    """A fatal fault shows; it is over when the engine serves again, or waits for a person."""

    def story(world: World, agent: Agent) -> bool:
        if world.now == BEGIN + 3:
            world.sick = True
            world.tell(text)
            agent.loop.told(world.log)
            assert not world.gate_open
        if world.now < BEGIN + 20:
            return False
        state = agent.memory.state.engines["main"]
        well = state.phase is Phase.SERVING and not world.holds_slot and not world.sick
        return well or state.phase is Phase.QUARANTINED

    return story


def hangs(world: World, agent: Agent) -> bool:
    if world.now == BEGIN + 3:
        world.hung = True
    return world.now > BEGIN + 50 and phase(agent) is Phase.SERVING


def never_lives(world: World, agent: Agent) -> bool:
    """It ends as soon as it is started, for ever."""
    world.brittle = world.now >= BEGIN + 3
    return world.now > BEGIN + 90 and phase(agent) is Phase.QUARANTINED


def latches(world: World, agent: Agent) -> bool:
    """A board is to be exchanged; a person does that half a minute after the latch is seen."""
    if world.now == BEGIN + 3:
        world.remap_failed = world.sick = True
        world.tell(LATCH)
        agent.loop.told(world.log)
    if agent.published.latest is None or world.now < BEGIN + 40:
        return False
    if world.sick:
        world.latched = True
        assert agent.state.phase is Phase.QUARANTINED
        assert any(one.latched for one in agent.shown.incidents)
    if world.now >= BEGIN + 70:
        world.sick = world.remap_failed = False
        for one in agent.shown.incidents:
            agent.loop.acknowledge(one.id, "alice", "board exchanged")
        world.latched = False
        if phase(agent) is Phase.QUARANTINED:
            agent.loop.request("main", Requested(verb=Verb.UNDRAIN, by="alice", reason="done"))
    return world.now > BEGIN + 90 and phase(agent) is Phase.SERVING


def setting(**facts: bool) -> Callable[[World], None]:
    def lay(world: World) -> None:
        for name, value in facts.items():
            setattr(world, name, value)

    return lay


Check = Callable[[World, Agent, bool], None]


def tried(world: World, agent: Agent, whole: bool) -> None:
    """No rung was begun twice, and what was begun is remembered."""
    assert world.acts.count("reset gpu:GPU-0") <= 1
    assert world.acts.count("reboot") <= 1
    known = {(one.rung, one.subject) for one in agent.shown.attempts}
    assert ((Remedy.RESET, "gpu:GPU-0") in known) >= ("reset gpu:GPU-0" in world.acts)
    assert ((Remedy.REBOOT, "node") in known) >= ("reboot" in world.acts)
    assert all(one.outcome is not Outcome.RUNNING for one in agent.shown.attempts)
    assert len(world.starts) <= 2
    if agent.state.phase is Phase.SERVING:
        assert not world.holds_slot, "a slot is forgotten"
        assert agent.shown.incidents == ()
    if whole:
        assert world.acts.count("reset gpu:GPU-0") == 1


def cured(world: World, agent: Agent, whole: bool) -> None:
    tried(world, agent, whole)
    if whole:
        assert agent.state.phase is Phase.SERVING


def spent(world: World, agent: Agent, whole: bool) -> None:
    tried(world, agent, whole)
    assert agent.state.phase is Phase.QUARANTINED
    if whole:
        assert world.acts.count("reboot") == 1


def restarted(world: World, agent: Agent, whole: bool) -> None:
    assert len(world.starts) == 1 if whole else 1 <= len(world.starts) <= 2
    assert len(agent.state.starts) <= 2
    assert not world.holds_slot


def given_up(world: World, agent: Agent, whole: bool) -> None:
    assert len(world.starts) == 2 if whole else len(world.starts) <= 2
    assert agent.state.reason == "BudgetSpent"


def released(world: World, agent: Agent, whole: bool) -> None:
    assert len(world.starts) >= 1
    assert "reboot" not in world.acts
    assert agent.shown.incidents == ()


TALES: dict[str, tuple[Story, Callable[[World], None], Check]] = {
    "a reset heals": (falls_ill(), setting(resets=True, heals_by_reset=True), cured),
    "a reset fails and a reboot heals": (
        falls_ill(),
        setting(reboots=True, heals_by_reboot=True),
        cured,
    ),
    "a reset does not help and a reboot heals": (
        falls_ill(),
        setting(resets=True, reboots=True, heals_by_reboot=True),
        cured,
    ),
    "nothing helps": (falls_ill(), setting(resets=True, reboots=True), spent),
    "the host does not go down": (falls_ill(), setting(), spent),
    "a hang": (hangs, setting(), restarted),
    "an engine that never lives": (never_lives, setting(), given_up),
    "a latch": (latches, setting(), released),
}


@pytest.mark.parametrize("name", TALES)
async def test_killed_at_any_point_no_rung_is_repeated_and_nothing_is_forgotten(
    name: str, tmp_path: Path
) -> None:
    story, lay, check = TALES[name]
    whole = remember(World(tmp_path))
    lay(whole)
    check(whole, await live(whole, story), True)
    assert whole.points > 8
    for cut in range(1, whole.points + 1):
        path = tmp_path / str(cut)
        path.mkdir()
        world = remember(World(path, cut))
        lay(world)
        agent = await live(world, story)
        try:
            check(world, agent, False)
        except AssertionError as error:
            error.add_note(f"killed at point {cut} of {whole.points}; acts: {world.acts}")
            raise
