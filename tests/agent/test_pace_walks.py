"""Random engines, alive and dead, seen by random looks: no false hit, and no hang missed."""

from collections.abc import Iterator
from itertools import pairwise
from random import Random

import msgspec
import pytest

from agent.engines import ENGINES
from agent.pace import IDLE_EVERY, Kind, Look, Outcome, Pace, fold
from tests.agent.engines.examples import engine

PATIENCE = ENGINES["vllm"].patience(engine("vllm"))


class World(msgspec.Struct, kw_only=True):
    """An engine that steps while it has work; its gauges are as old as its last step.

    `longest` bounds a step that begins while the gauges show no work, `rare` the others. A probe
    is answered at the end of the step that begins after it and after the `queue` before it.
    """

    dice: Random
    longest: float = 3.2
    rare: float = 6.5
    now: float = 0.0
    steps: int = 0
    shown: int = 0  # pending, as of the last step
    pending: int = 0
    ends: float | None = None  # of the step under way
    ahead: int | None = None  # steps until the probe is answered; None = no probe
    answer: Outcome | None = None
    dead: bool = False
    room: int = 400  # of which 120 before it refuses a probe as full

    def ask(self) -> None:
        if self.ahead is None and self.answer is None:
            if self.pending > 120:
                self.answer = Outcome.FULL
            else:
                self.ahead = self.dice.choice([1, 1, 2, 2, 3, 40]) if self.pending else 1

    def run(self, until: float) -> None:
        """Let time pass in small pieces."""
        while self.now < until:
            self.now += 0.1
            if self.dead:
                continue
            if self.ends is not None and self.now >= self.ends:
                self._finish()
            if self.ends is None and (self.pending or self.ahead):
                limit = self.rare if self.shown and self.dice.random() < 0.1 else self.longest
                self.ends = self.now + self.dice.choice([0.03, 0.3, limit * self.dice.random()])

    def _finish(self) -> None:
        self.ends, self.steps = None, self.steps + 1
        self.pending = max(0, self.pending - self.dice.choice([0, 0, 1, 2]))
        self.shown = self.pending
        if self.ahead is not None:
            self.ahead -= 1
            if self.ahead <= 0 or not self.pending:
                self.ahead, self.answer = None, Outcome.ANSWERED


def walk(world: World, looks: int, *, honest: bool = False) -> Iterator[Pace]:
    """Look about once a second; unless `honest`, also late, blind, slow, and by a bad clock."""
    dice, pace, skew = world.dice, Pace(), 0.0
    for _ in range(looks):
        world.run(world.now + (1.0 if honest else dice.choice([1.0, 1.0, 1.02, 1.3, 2.4])))
        if not world.dead and dice.random() < 0.2:
            world.pending = min(world.pending + dice.choice([1, 2, 5, 60]), world.room)
        skew += 0.0 if honest or dice.random() < 0.98 else dice.choice([-90.0, -2.0, 1.0])
        blind = not honest and dice.random() < 0.1
        said, world.answer = world.answer, None
        look = Look(
            at=world.now + skew,
            pending=None if blind else world.shown,
            progress=None if blind else float(world.steps),
            quick=honest or dice.random() < 0.9,
            probe=said,
        )
        pace = fold(pace, look, PATIENCE)
        if pace.due:
            world.ask()
        elif world.ahead is not None:
            world.ahead = None  # the source gives an acquitted probe up
        yield pace


@pytest.mark.parametrize("seed", range(60))
def test_what_steps_is_never_hung(seed: int) -> None:
    paces = list(walk(World(dice=Random(seed)), 1500))
    assert Kind.HUNG not in {pace.kind for pace in paces}
    assert {Kind.IDLE, Kind.MOVING, Kind.BLIND} <= {pace.kind for pace in paces}


@pytest.mark.parametrize("seed", range(60))
def test_what_dies_is_hung_in_time(seed: int) -> None:
    world = World(dice=Random(seed), room=100)
    list(walk(world, 20 + seed, honest=True))
    world.dead = True
    paces = list(walk(world, 60, honest=True))
    hung = next(at for at, pace in enumerate(paces) if pace.kind is Kind.HUNG)
    assert hung + 1 <= (10 if world.shown else 15)
    assert {pace.kind for pace in paces[hung:]} == {Kind.HUNG}


@pytest.mark.parametrize("seed", range(30))
def test_idle_probes_are_ten_seconds_apart(seed: int) -> None:
    world = World(dice=Random(seed))
    asked = [
        pace.at or 0.0
        for pace in walk(world, 600, honest=True)
        if pace.asked == 0.0 and pace.kind is Kind.IDLE
    ]
    assert all(b - a > IDLE_EVERY - 0.2 for a, b in pairwise(asked))
