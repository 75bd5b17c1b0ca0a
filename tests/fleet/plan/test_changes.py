"""From operations to stages: what changes, what follows, and how grave it is."""

import pytest

from fleet.disruption import Disruption, worst
from fleet.plan.changes import Planned, disruption, stages
from fleet.plan.document import Act
from fleet.plan.stages import DISRUPTIONS
from tests.fleet.test_deploy import ORDER

NONE, RESTART, REBOOT = Disruption.NONE, Disruption.RESTART, Disruption.REBOOT


def op(stage: str, name: str, *files: str, changes: bool = True) -> Planned:
    return Planned(stage=stage, name=name, changes=changes, files=files)


def still(stage: str, name: str, *files: str) -> Planned:
    return op(stage, name, *files, changes=False)


def test_every_stage_declares_its_disruption() -> None:
    assert list(DISRUPTIONS) == ORDER
    assert {stage for stage, grave in DISRUPTIONS.items() if grave is not NONE} == {
        "driver",
        "takeover",
        "engine",
    }


def test_a_stage_without_changes_is_left_out() -> None:
    found = stages(
        [still("base", "place /etc/x"), op("drift", "write the manifest")],
        {},
        DISRUPTIONS,
        serves=True,
    )
    assert [(one.stage, one.changes) for one in found] == [("drift", ("write the manifest",))]


@pytest.mark.parametrize(
    ("changed", "file", "follows"),
    [
        ("place /etc/stoker/host.json", "/etc/stoker/host.json", True),
        ("lay the program in /opt/stoker/venv", "/opt/stoker/venv/stamp", True),
        ("merge /etc/docker/daemon.json", "/etc/docker/daemon.json", True),
        ("place /etc/stoker/host.json.d", "/etc/stoker/host.json", False),
        ("place /etc/stoker/host", "/etc/stoker/host.json", False),
        ("install cron", "/etc/stoker/host.json", False),
    ],
)
def test_a_unit_follows_its_files(changed: str, file: str, follows: bool) -> None:
    operations = [op("base", changed), still("agent", "run the agent with this", file)]
    found = stages(operations, {}, DISRUPTIONS, serves=True)
    names = [name for one in found if one.stage == "agent" for name in one.follows]
    assert names == (["run the agent with this"] if follows else [])


def test_a_unit_does_not_follow_what_comes_after_it() -> None:
    operations = [still("agent", "run it", "/etc/x"), op("drift", "place /etc/x")]
    assert [one.stage for one in stages(operations, {}, DISRUPTIONS, serves=True)] == ["drift"]


@pytest.mark.parametrize(
    ("acts", "serves", "changes", "grave"),
    [
        ({"main": "start"}, False, ("start main",), NONE),
        ({"main": "restart"}, True, ("restart main",), RESTART),
        ({"a": "start", "b": "restart"}, True, ("start a", "restart b"), RESTART),
        ({"a": "start", "b": "nothing"}, True, ("start a",), NONE),
        ({"main": "held"}, True, ("held main",), NONE),
    ],
)
def test_engines_are_told_once(
    acts: dict[str, Act], serves: bool, changes: tuple[str, ...], grave: Disruption
) -> None:
    operations = [op("engine", "start what does not serve"), op("engine", "roll gpu-1, gpu-2")]
    [found] = stages(operations, acts, DISRUPTIONS, serves=serves)
    assert (found.changes, found.disruption) == (changes, grave)


@pytest.mark.parametrize(("serves", "grave"), [(True, REBOOT), (False, NONE)])
def test_where_nothing_serves_nothing_is_disrupted(serves: bool, grave: Disruption) -> None:
    found = stages([op("driver", "install it")], {}, DISRUPTIONS, serves=serves)
    assert disruption(found) is grave


def test_the_worst_counts() -> None:
    assert worst() is NONE
    assert worst(NONE, REBOOT, RESTART) is REBOOT
    assert worst(NONE, RESTART) is RESTART
