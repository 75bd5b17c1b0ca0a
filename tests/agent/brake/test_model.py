"""Model-based simulation of the fleet brake; `benchmarks/fleet_brake.py` runs many more seeds.

The agents' own code is what runs: see `world`. Each mutant shows that the promise can be broken.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agent.model import Verb
from tests.agent.brake import mutants
from tests.agent.brake.calls import Answer, Call
from tests.agent.brake.node import DRAINED, SERVING, Node
from tests.agent.brake.weather import Fleet, Weather, fleet
from tests.agent.brake.world import Tally, World, run

SEEDS = 40


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def test_never_more_are_out_than_may_be_in_any_weather() -> None:
    full, acts = 0, 0
    for seed in range(SEEDS):
        made = fleet(seed, nodes=40)
        tally = run(seed, made)
        assert tally.robbed == [], f"seed {seed}: {made}"
        assert tally.left == [], f"seed {seed}: a slot that nobody holds: {made}"
        assert tally.unmet == 0, f"seed {seed}: it did not come to rest: {made}"
        full += tally.most == made.most
        acts += tally.acts.total()
    assert full > SEEDS / 2  # the limit was felt
    assert acts > 10 * SEEDS


@pytest.mark.slow
def test_nor_in_large_fleets() -> None:
    for seed in range(1000, 1400):
        made = fleet(seed)
        tally = run(seed, made)
        assert (tally.robbed, tally.left, tally.unmet) == ([], [], 0), f"seed {seed}: {made}"


CALM = Fleet(nodes=60, models=3, most=1, patience=12 * 3600.0)


def _met(tally: Tally, world: World) -> bool:
    return all(asker.met for asker in world.askers) and not tally.unmet


@pytest.mark.parametrize("seed", range(10))
def test_without_trouble_all_that_is_wanted_happens_in_the_end(seed: int) -> None:
    world = World(seed, CALM)
    tally = world.run()
    assert _met(tally, world)
    assert tally.acts["reboot"] >= CALM.rungs - 2  # two of them may fall to the same node
    assert (tally.most, tally.left) == (1, [])


SLOW = Weather(loss=0.1, slow=0.5, slowest=60.0, twice=0.2)


@pytest.mark.parametrize(
    ("types", "weather"),
    [
        ({"node": mutants.GivesBackEarly}, Weather()),
        ({"node": mutants.ForgetsWhomItTookOut}, Weather()),
        ({"node": mutants.ForgetsItsRungs}, Weather()),
        ({"node": mutants.ActsUnheard}, SLOW),
        ({"node": mutants.OneName}, SLOW),
        ({"server": mutants.Expires}, Weather(killed=1.0)),
        ({"server": mutants.Generous}, Weather()),
    ],
    ids=lambda found: next(iter(found.values())).__name__ if isinstance(found, dict) else "",
)
def test_a_protocol_with_one_thing_wrong_is_found_out(
    types: dict[str, Any], weather: Weather
) -> None:
    busy = Fleet(
        nodes=6, models=1, most=2, rungs=30, rolls=6, corrections=6, patience=900, weather=weather
    )
    assert any(run(seed, busy, **types).robbed for seed in range(100))
    assert not any(run(seed, busy).robbed for seed in range(5))  # it is not the weather


class Scripted(World):
    """Two nodes, one slot, and what is told to happen; a release takes `lag` seconds."""

    lag = 0.0

    def __init__(self, node: type[Node]) -> None:
        super().__init__(1, Fleet(nodes=2, models=1, most=1), node=node)
        self.one, self.two = self.nodes

    def _plan(self, seconds: float) -> None:
        """Nothing happens by itself."""

    def _arrive(self, call: Call, told: Callable[[Answer], None]) -> None:
        late = self.lag if call.verb == "release" else 0.0
        self.at(late, super()._arrive, call, told)

    def drain(self, node: Node) -> None:
        """Drain as soon as there is a slot."""
        if node.ask("m0", Verb.DRAIN):
            node.move("m0", DRAINED)
        elif self.now < 200.0:
            self.at(0.001, self.drain, node)

    def undrain(self, node: Node) -> None:
        node.move("m0", SERVING)
        node.turn()


@pytest.mark.parametrize(("node", "robbed"), [(Node, False), (mutants.GivesBackUnsaved, True)])
def test_what_is_given_back_is_on_disk_first(node: type[Node], robbed: bool) -> None:
    world = Scripted(node)
    world.at(0.0, world.drain, world.one)
    world.at(10.0, world.undrain, world.one)
    world.lag = 30.0
    for seconds, act in ((12.0, world.one.crash), (12.2, world.one.climb)):
        world.at(seconds, act)
    world.at(30.0, world.drain, world.two)
    assert bool(world.run().robbed) is robbed


@pytest.mark.parametrize(("node", "robbed"), [(Node, False), (mutants.SlowToLetGo, True)])
def test_nothing_is_taken_out_once_the_slot_is_being_given_back(
    node: type[Node], robbed: bool
) -> None:
    world = Scripted(node)
    world.at(0.0, world.drain, world.one)
    world.at(10.0, world.undrain, world.one)
    world.at(10.0001, world.drain, world.one)
    world.at(12.0, world.drain, world.two)
    world.at(100.0, world.undrain, world.one)
    world.at(100.0, world.undrain, world.two)
    assert bool(world.run().robbed) is robbed


@pytest.mark.slow
def test_groups_are_asked_for_in_one_order_and_all_or_none_or_nodes_wait_for_each_other() -> None:
    slow = Weather(slow=0.5, slowest=8.0)
    wants = {"rungs": 0, "rolls": 20, "corrections": 0, "patience": 6 * 3600.0}
    pairs = Fleet(nodes=20, models=2, most=1, weather=slow, **wants)  # type: ignore[arg-type]

    class Both(World):
        def _models(self, models: list[str]) -> list[str]:
            return list(models)

    def met(node: type[Node], seed: int) -> bool:
        world = Both(seed, pairs, node=node)
        return _met(world.run(), world)

    assert all(met(Node, seed) for seed in range(5))
    assert not all(met(mutants.TakesWhatItGets, seed) for seed in range(10))
