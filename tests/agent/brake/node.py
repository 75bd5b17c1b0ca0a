"""One simulated host: the agent's own code for the brake on top of engines that only have phases.

`ours` are the engines that are out because we took them out; a fault or a power cut is not ours.
"""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, cast

from agent import slots
from agent.attempts import Outcome
from agent.braking import Braking
from agent.climber import Climber
from agent.errors import NoSlotError
from agent.keeper import Keeper
from agent.ladder import Step
from agent.model import EngineState, Goal, Phase, Remedy, Verb
from agent.slots import Slots
from tests.agent.brake.calls import Job, Line, Pause

if TYPE_CHECKING:
    from tests.agent.brake.world import World

STEP = Step(rung=Remedy.REBOOT, subject="node", reason="R", message="m")
RECOVERS = 1800.0  # seconds until a person, or drift's next run, sets right what was left


def _state(phase: Phase, **facts: Any) -> EngineState:
    return EngineState(phase=phase, since=0.0, reason="R", message="m", **facts)


SERVING, STARTING = _state(Phase.SERVING), _state(Phase.STARTING)
ROLLING = _state(Phase.DRAINING, goal=Goal.RESTART, by="deploy")
DRAINED = _state(Phase.DRAINED, goal=Goal.MAINTENANCE, by="drift")
SICK = _state(Phase.DRAINED, goal=Goal.FAULT)
QUARANTINED = _state(Phase.QUARANTINED)


class Disk:
    """See `keeper.Disk`."""

    def __init__(self, world: "World") -> None:
        self.slots = self.saved = Slots()
        self._world = world

    def save(self) -> bool:
        full = self._world.weather.full
        if full and self._world.dice.random() < full:
            return False
        self.saved = self.slots
        return True


class Node:
    """`rung`: the agent wants to reboot. `life` and `boots` count; `up` = the agent runs."""

    keeper: type[Keeper] = Keeper
    climber: type[Climber] = Climber
    braking: type[Braking] = Braking

    def __init__(self, world: "World", number: int, models: list[str]) -> None:
        self.world, self.name = world, f"n{number}"
        self.engines = dict.fromkeys(models, SERVING)  # an engine has the name of its model
        self.serves = {model: model for model in models}
        self.groups = slots.groups("stoker.{model}", models)
        self.ours: set[str] = set()
        self.rung, self.life, self.boots, self.up = False, 0, 0, True
        self.cut = 0.0  # off from the server, until then
        skew = world.weather.skew
        self.rate = 1.0 + world.dice.uniform(-skew, skew)
        self._ahead = world.dice.uniform(-1e5, 1e5) if skew else 0.0
        self._turns = 0.0  # when it is to turn again
        self._moves = dict.fromkeys(models, 0)
        self.disk = Disk(world)
        self._begin()

    def _begin(self) -> None:
        """Begin a life of the agent with what is on disk."""
        self.up = True
        self.disk.slots = self.disk.saved
        clocks = self.wall, self.steady
        keeper = self.keeper(self.disk, lambda: self.groups, self.line, self.name, *clocks)
        made = self.climber(self, keeper, self, self.pause, self.spawn, self.steady)  # type: ignore[arg-type]
        self.climb_by = made
        self.brake = self.braking(self.disk, made, self.wall)

    # What the agent's code is given.
    def line(self, group: str, name: str) -> Line:
        return Line(self, group, name)

    def wall(self) -> float:
        return 1e9 + self._ahead + self.world.now

    def steady(self) -> float:
        return self.world.now * self.rate + 1e3

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> Any:
        return Job(self, coroutine, self.turn)

    async def pause(self, _: float) -> None:
        await cast("Any", Pause())

    async def close(self) -> None:
        """Let go of the driver."""

    def resume(self) -> None:
        """Look at the driver again."""

    async def reboot(self) -> None:
        self.world.tally.acts["reboot"] += 1
        self.world.at(1.0, self._go_down, self.boots)

    def _go_down(self, boots: int) -> None:
        """Go down, also should the agent have ended meanwhile."""
        if boots == self.boots:
            self.fail()

    # The agent's loop, as far as it is about the brake.
    def turn(self) -> None:
        """Decide once, and again when something may have changed by time alone."""
        if not self.up:
            return
        if self.rung and self.climb_by.granted:
            self._make_way()
            if not self.climb_by.busy:
                self.climb_by.begin(STEP, self._begun, self._ended)
        else:
            waits = self.rung and not self.climb_by.granted
            self.brake.turn(self.engines, self.serves, due=self.rung, waits=waits)
        self.disk.save()
        held = self.disk.slots
        if self.rung or held.debts or (held.name and not self.ours):
            self.turn_in(6.0 if self.rung else 30.0)

    def turn_in(self, seconds: float) -> None:
        due = self.world.now + seconds
        if not self.world.now < self._turns <= due:
            self._turns = due
            self.world.at(seconds, self._turn_at, due)

    def _turn_at(self, due: float) -> None:
        if due == self._turns:
            self.turn()

    def climb(self) -> None:
        """Some fault asks for a reboot."""
        self.rung = True
        self.turn()

    def _make_way(self) -> None:
        serving = [name for name, state in self.engines.items() if state is SERVING]
        self.brake.stand(serving)
        for name in serving:
            self.move(name, SICK)

    def _begun(self) -> bool:
        before = self.disk.slots
        self.brake.stand(one for one, state in self.engines.items() if state is not QUARANTINED)
        if not self.disk.save():
            self.disk.slots = before
            return False
        self.rung = False
        return True

    def _ended(self, _: Outcome, __: str) -> None:
        """It did not go down: see `Climber`."""

    def ask(self, name: str, verb: Verb) -> bool:
        """Take a request with a slot over the socket; False = not now. As `Loop.request` does."""
        if not self.up:
            return False
        try:
            self.brake.take_out(name, self.engines[name], verb)
        except NoSlotError:
            self.turn_in(0.5)
            return False
        self.disk.saved = self.disk.slots
        return True

    # Engines.
    def move(self, name: str, state: EngineState) -> None:
        """Enter a phase; count whom we take out, and who is back."""
        before, self.engines[name] = self.engines[name], state
        self._moves[name] += 1
        if state is SERVING:
            if name in self.ours:
                self.ours.remove(name)
                self.world.out[name] -= 1
        elif before is SERVING:
            self.ours.add(name)
            self.world.took_out(name)

    def lose(self, name: str, state: EngineState) -> None:
        """Enter a phase by no doing of ours."""
        self.engines[name] = state
        self._moves[name] += 1

    def later(self, seconds: float, name: str, *states: EngineState) -> None:
        """Enter these phases one after the other, unless something else comes between."""
        self.world.at(seconds, self._later, name, self._moves[name], states)

    def _later(self, name: str, moves: int, states: tuple[EngineState, ...]) -> None:
        if moves != self._moves[name]:
            return
        if not self.up:  # the agent sees it once it is back
            self.world.at(5.0, self._later, name, moves, states)
            return
        self.lose(name, states[0]) if states[0] is not SERVING else self.move(name, SERVING)
        if rest := states[1:]:
            self.later(self.world.dice.uniform(20.0, 180.0), name, *rest)
        self.turn()

    # Troubles.
    def crash(self) -> None:
        """The agent ends without any cleanup, and is started again."""
        if self.up:
            self.up, self.life = False, self.life + 1
            self.world.at(self.world.dice.uniform(0.5, 10.0), self._again, self.life)

    def _again(self, life: int) -> None:
        if life == self.life:
            self._begin()
            self.turn()

    def fail(self) -> None:
        """The host goes down, whoever wanted that, and comes up again."""
        self.up, self.life, self.boots = False, self.life + 1, self.boots + 1
        for name, state in self.engines.items():
            if state is SERVING:
                self.lose(name, STARTING)
        self.world.at(self.world.dice.uniform(30.0, 300.0), self._booted, self.life)

    def _booted(self, life: int) -> None:
        if life != self.life:
            return
        self._begin()
        for name, state in self.engines.items():
            if state is not DRAINED and state is not QUARANTINED:
                self.lose(name, STARTING)
                self.later(self.world.dice.uniform(20.0, 180.0), name, SERVING)
        self.turn()

    def fault(self) -> None:
        """A fault takes an engine that serves out; it heals."""
        name = self.world.dice.choice(list(self.engines))
        if self.up and self.engines[name] is SERVING:
            self.lose(name, SICK)
            self.later(self.world.dice.uniform(20.0, 300.0), name, STARTING, SERVING)

    def step(self) -> None:
        """Somebody sets the clock."""
        self._ahead += self.world.dice.choice([-3600.0, -60.0, 60.0, 3600.0])


class Asker:
    """A deploy that restarts the engines of a host, or a correction that drains them meanwhile.

    `killed`: it ends in the middle of that.
    """

    def __init__(self, world: "World", node: Node, verb: str, killed: bool) -> None:
        self._world, self._node, self._killed = world, node, killed
        self._verb = Verb.RESTART if verb == "roll" else Verb.DRAIN
        self._engines = list(node.engines)
        self._late = 0.0
        self.met = False

    def begin(self) -> None:
        self._late = self._world.now + self._world.fleet.patience
        self.go_on()

    def go_on(self) -> None:
        """Ask for the next engine; wait for a slot, but not for ever."""
        node, world = self._node, self._world
        name = self._engines[0]
        if not node.ask(name, self._verb):
            if world.now < self._late:
                world.at(5.0, self.go_on)
            else:
                world.tally.refused += 1
            return
        world.tally.acts[self._verb] += 1
        del self._engines[0]
        if self._verb is Verb.RESTART:
            self._roll(name)
        else:
            self._drain(name)
        if self._engines and not self._killed:
            world.at(world.dice.uniform(1.0, 200.0), self.go_on)
        else:
            self.met = not self._engines
        node.turn()

    def _roll(self, name: str) -> None:
        node, dice = self._node, self._world.dice
        node.move(name, ROLLING)
        if dice.random() < 0.03:  # it does not come up: a person looks at it
            node.later(dice.uniform(1.0, 60.0), name, STARTING, QUARANTINED)
            self._world.at(RECOVERS, self._recover, name)
        else:
            node.later(dice.uniform(1.0, 60.0), name, STARTING, SERVING)

    def _drain(self, name: str) -> None:
        self._node.move(name, DRAINED)
        back = RECOVERS if self._killed else self._world.dice.uniform(10.0, 200.0)
        self._world.at(back, self._recover, name)

    def _recover(self, name: str) -> None:
        """Undrain, by whoever it is."""
        node = self._node
        if node.up and node.engines[name] in {DRAINED, QUARANTINED}:
            node.lose(name, STARTING)
            node.later(self._world.dice.uniform(20.0, 180.0), name, SERVING)
        elif not node.up:
            self._world.at(30.0, self._recover, name)
