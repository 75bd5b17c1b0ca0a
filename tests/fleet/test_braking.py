"""Whether a deploy waits for slots: by the spec, and by an operator's word."""

import os
from collections.abc import Iterator

import pytest

from fleet import braking
from tests.fleet.samples import spec

BRAKED = spec(agent_fleetlock_url="http://lock.example", rollout_slot_wait=90.0)


@pytest.fixture
def off() -> Iterator[None]:
    os.environ[braking.VARIABLE] = braking.OFF
    yield
    del os.environ[braking.VARIABLE]


def test_a_fleet_with_a_server_waits() -> None:
    assert braking.slot_wait(BRAKED) == 90.0
    assert braking.reason("new settings", BRAKED) == "new settings"


def test_one_without_does_not() -> None:
    assert braking.slot_wait(spec()) == 0.0


def test_an_operators_word_is_obeyed_and_stands_in_the_audit_log(off: None) -> None:
    assert braking.slot_wait(BRAKED) == 0.0
    assert braking.reason("x", BRAKED) == "x (without a slot: STOKER_BRAKE=off)"
    assert braking.reason("x", spec()) == "x"
