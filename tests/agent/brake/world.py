"""A fleet in a box: the agents' own code for the brake, and all around it simulated.

Real are `agent.slots`, `agent.brake`, `agent.keeper`, `agent.climber` and `agent.braking`, driven
by hand instead of by asyncio. Simulated are the network, the FleetLock server (its store is
linearizable and outlives it), clocks, disks, engines, hosts, deploys and corrections.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.agent.brake.calls import BROKEN, GRANTED, TAKEN, Answer, Call
from tests.agent.brake.node import Asker, Node
from tests.agent.brake.weather import CALM, Fleet

LONGEST = 12 * 3600.0  # seconds in which all must have come to rest, once the weather is calm


class Server:
    """Slots by group, kept over a restart. No expiry."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.holders: dict[str, dict[str, float]] = {}

    def carry_out(self, verb: str, group: str, name: str, now: float) -> Answer:
        holders = self.holders.setdefault(group, {})
        if verb == "release":
            holders.pop(name, None)
            return None
        if name not in holders and len(holders) >= self.most:
            return TAKEN
        holders.setdefault(name, now)
        return GRANTED


@dataclass
class Tally:
    """What was seen. `robbed`: a model, and when more of it were out than may be."""

    acts: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    messages: int = 0
    events: int = 0
    most: int = 0
    robbed: list[tuple[str, float, int]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unmet: int = 0


class World:
    """One run: `run` lets it happen and returns the tally."""

    def __init__(
        self,
        seed: int,
        fleet: Fleet,
        node: type[Node] = Node,
        server: type[Server] = Server,
    ) -> None:
        self.dice = random.Random(seed)
        self.fleet, self.weather = fleet, fleet.weather
        self.now, self.tally = 0.0, Tally()
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self.server = server(fleet.most)
        self.out: Counter[str] = Counter()
        self.down = 0.0  # the server, until then
        models = [f"m{n}" for n in range(fleet.models)]
        self.nodes = [node(self, n, self._models(models)) for n in range(fleet.nodes)]
        self.askers: list[Asker] = []
        self._plan(fleet.hours * 3600.0)

    def _models(self, models: list[str]) -> list[str]:
        both = len(models) > 1 and self.dice.random() < 0.2
        return self.dice.sample(models, 2 if both else 1)

    def at(self, delay: float, act: Callable[..., None], *facts: Any) -> None:
        """Let something happen in `delay` seconds."""
        self._count += 1
        heapq.heappush(self._events, (self.now + delay, self._count, act, facts))

    def run(self) -> Tally:
        """Let it happen, then calm down, and let all come to rest."""
        self._until(self.fleet.hours * 3600.0)
        self.weather, self.down = CALM, 0.0
        for node in self.nodes:
            node.cut = 0.0
        self._until(self.now + LONGEST)
        self.tally.left = [
            f"{group} {name}" for group, holders in self.server.holders.items() for name in holders
        ]
        self.tally.unmet = len(self._events) + sum(node.rung for node in self.nodes)
        return self.tally

    def _until(self, end: float) -> None:
        events, pop = self._events, heapq.heappop
        count = 0
        while events and events[0][0] <= end:
            self.now, _, act, facts = pop(events)
            act(*facts)
            count += 1
        self.tally.events += count
        self.now = end if events else self.now

    def took_out(self, model: str) -> None:
        """Count a node of a model that we have taken out: the promise that is under test."""
        self.out[model] += 1
        self.tally.most = max(self.tally.most, self.out[model])
        if self.out[model] > self.fleet.most:
            self.tally.robbed.append((model, self.now, self.out[model]))

    def call(self, call: Call, told: Callable[[Answer], None]) -> None:
        """Carry a request to the server and its answer back, as the weather lets it."""
        self.tally.messages += 1
        self._send(call, told)
        if self.weather.twice and self.dice.random() < self.weather.twice:
            self.at(self.dice.uniform(0.0, self.weather.slowest), self._arrive, call, _nobody)

    def _send(self, call: Call, told: Callable[[Answer], None]) -> None:
        delay, cut = self._delay(), call.node.cut - self.now
        if cut > 0:
            if self.dice.random() < 0.5:
                return
            delay += min(cut, max(0.0, self.weather.slowest - delay))
        if self.dice.random() >= self.weather.loss:
            self.at(delay, self._arrive, call, told)

    def _arrive(self, call: Call, told: Callable[[Answer], None]) -> None:
        if self.now < self.down:
            return
        weather, dice = self.weather, self.dice
        broken = weather.broken and dice.random() < weather.broken
        if broken and dice.random() < 0.5:
            answer: Answer = BROKEN
        else:
            answer = self.server.carry_out(call.verb, call.group, call.name, self.now)
            answer = BROKEN if broken else answer
        if dice.random() >= weather.loss and self.now >= call.node.cut:
            self.at(self._delay(), told, answer)

    def _delay(self) -> float:
        if self.weather.slow and self.dice.random() < self.weather.slow:
            return self.dice.uniform(0.0, self.weather.slowest / 2)
        return self.dice.uniform(0.001, 0.05)

    def _plan(self, seconds: float) -> None:
        """Say when what will happen."""
        fleet, weather, dice = self.fleet, self.fleet.weather, self.dice

        def when() -> float:
            return dice.uniform(0.0, seconds)

        for _ in range(fleet.rungs):
            self.at(when(), dice.choice(self.nodes).climb)
        for verb, count in (("roll", fleet.rolls), ("correct", fleet.corrections)):
            begins = when()  # a roll goes over its hosts together; so do drift's windows
            for node in dice.sample(self.nodes, min(count, len(self.nodes))):
                asker = Asker(self, node, verb, dice.random() < weather.killed)
                self.askers.append(asker)
                self.at(begins + dice.uniform(0.0, 900.0), asker.begin)
        for _ in range(weather.kills):
            self.at(when(), self._kill, dice.choice([1.0, 60.0, 600.0]))
        for _ in range(weather.cuts):
            share = dice.choice([0.1, 0.5, 1.0])
            self.at(when(), self._cut, share, dice.choice([5.0, 60.0, 600.0]))
        for count, act in (
            (weather.crashes, Node.crash),
            (weather.failures, Node.fail),
            (weather.faults, Node.fault),
            (weather.steps, Node.step),
        ):
            for _ in range(count):
                self.at(when(), act, dice.choice(self.nodes))

    def _kill(self, seconds: float) -> None:
        self.down = max(self.down, self.now + seconds)

    def _cut(self, share: float, seconds: float) -> None:
        for node in self.nodes:
            if self.dice.random() < share:
                node.cut = max(node.cut, self.now + seconds)


def _nobody(_: Answer) -> None:
    """Nobody waits for this answer any more."""


def run(seed: int, fleet: Fleet, **types: Any) -> Tally:
    """Run one world."""
    return World(seed, fleet, **types).run()
