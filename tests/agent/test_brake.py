"""When a slot is asked for and when it is given back."""

import pytest

from agent import brake, slots
from agent.brake import Duty
from agent.model import EngineState, Goal, Phase, Verb
from agent.slots import Slots
from tests.agent.node import engine

SERVING = engine(phase=Phase.SERVING)
PERSONS = engine(phase=Phase.DRAINED, goal=Goal.MAINTENANCE, by="ann")
HELD = slots.asking(slots.named(Slots(), "n", 0.0), "g")


@pytest.mark.parametrize(
    ("wanted", "granted", "well", "expected"),
    [
        (True, False, True, Duty.ASK),
        (True, False, False, Duty.ASK),
        (True, True, True, Duty.NOTHING),  # not before it is used
        (False, True, False, Duty.NOTHING),  # nor before all serve again
        (False, True, True, Duty.GIVE_BACK),
        (False, False, True, Duty.GIVE_BACK),  # of a former life
    ],
)
def test_duty(wanted: bool, granted: bool, well: bool, expected: Duty) -> None:
    assert brake.duty(HELD, wanted=wanted, granted=granted, well=well) is expected


def test_what_is_owed_under_a_former_name_is_given_back_though_the_node_is_not_well() -> None:
    owed = slots.given_back(HELD)
    assert brake.duty(owed, wanted=False, granted=False, well=False) is Duty.GIVE_BACK


@pytest.mark.parametrize(
    ("state", "verb", "expected"),
    [
        (SERVING, Verb.RESTART, True),
        (SERVING, Verb.DRAIN, True),
        (SERVING, Verb.UNDRAIN, False),
        (engine(phase=Phase.DRAINING, goal=Goal.FAULT), Verb.RESTART, False),
        (engine(phase=Phase.STARTING), Verb.RESTART, False),
        (engine(phase=Phase.QUARANTINED), Verb.RESTART, False),
        (PERSONS, Verb.RESTART, False),
    ],
)
def test_only_who_serves_is_taken_out(state: EngineState, verb: Verb, expected: bool) -> None:
    assert brake.takes_out(state, verb) is expected


@pytest.mark.parametrize(
    "other", [PERSONS, engine(phase=Phase.STARTING), engine(phase=Phase.QUARANTINED)]
)
def test_a_node_is_well_when_those_serve_that_were_taken_out_under_the_slot(
    other: EngineState,
) -> None:
    engines = {"a": SERVING, "b": other}
    assert brake.well(engines, ("a", "gone"))
    assert not brake.well(engines, ("b",))


def test_an_engine_is_back_when_it_serves_or_is_no_more() -> None:
    held = Slots(out=("a", "b", "c"))
    engines = {"a": SERVING, "b": engine(phase=Phase.STARTING)}
    assert brake.looked(held, engines, {}).out == ("b",)


def test_a_node_counts_for_its_former_model_until_it_serves_the_new_one() -> None:
    engines = {"a": SERVING}
    first = brake.looked(Slots(), engines, {"a": "old"})
    assert first.models == ("old",)
    assert brake.looked(first, engines, {}) is first  # another spec than what runs
    assert brake.looked(first, {"a": engine(phase=Phase.STARTING)}, {"a": "new"}) is first
    assert brake.looked(first, engines, {"a": "new"}).models == ("new",)


@pytest.mark.parametrize(
    ("now", "expected"), [(0.0, True), (14.9, True), (15.0, False), (-1.0, False), (-3600.0, False)]
)
def test_who_waits_is_forgotten_soon_whatever_the_clock_does(now: float, expected: bool) -> None:
    assert brake.wished(brake.WISH, now) is expected
