"""The catalogue is whole, and the operator's word on it is checked."""

from __future__ import annotations

from collections import Counter

import pytest

from agent.errors import SpecError
from agent.model import Remedy
from agent.xid.catalogue import Severity, catalogue, entry, overrides
from agent.xid.handling import HANDLING


def test_every_number_is_there() -> None:
    assert sorted(catalogue()) == list(range(1, 177))
    actions = Counter(one.action for one in catalogue().values())
    assert actions == {
        "drain+inspect/RMA": 67,
        "restart-app": 50,
        "ignore": 29,
        "reset-gpu": 23,
        "reboot": 7,
    }


@pytest.mark.parametrize(
    ("xid", "remedy"),
    [
        (79, Remedy.REBOOT),
        (48, Remedy.RESET),
        (31, Remedy.RESTART),
        (63, Remedy.NONE),
        (54, Remedy.QUARANTINE),  # critical, and a human's
        (125, Remedy.NONE),  # a human's, but only a warning: a ticket
        (1, Remedy.NONE),  # not expected
        (999, Remedy.NONE),  # not listed
    ],
)
def test_remedies(xid: int, remedy: Remedy) -> None:
    assert entry(xid).remedy is remedy


def test_titles_are_tokens() -> None:
    assert entry(79).title == "Xid79GpuHasFallenOffTheBus"
    assert entry(999).title == "Xid999Unlisted"
    assert all(one.title.isalnum() for one in catalogue().values())


def test_what_is_not_listed_is_unknown() -> None:
    assert entry(999).severity is Severity.UNKNOWN
    assert set(HANDLING) <= set(catalogue())


def test_overrides() -> None:
    assert overrides({"31": "restart", "43": "ignore", "200": "quarantine"}) == {
        31: Remedy.RESTART,
        43: Remedy.NONE,
        200: Remedy.QUARANTINE,
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"x31": "restart"}, 'check_xid: "x31" is no Xid; a key is a number from 1 to 999'),
        ({"0": "restart"}, 'check_xid: "0" is no Xid; a key is a number from 1 to 999'),
        (
            {"31": "reboots"},
            "check_xid: \"31\" leads to 'reboots', which is no remedy; use one of "
            "ignore, none, drain, restart, reset, reboot, quarantine",
        ),
        ({"31": 5}, 'check_xid: "31" leads to 5, which is no remedy; use one of '),
    ],
)
def test_a_wrong_override_is_one_sentence(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError) as error:
        overrides(given)
    assert str(error.value).startswith(sentence)
