"""When a drift is put right, and the sentence when it is not."""

import time

import pytest

from agent.drift.report import Kind
from agent.spec import DriftSpec
from fleet.drift import policy
from fleet.drift.kinds import STAGES, kind
from fleet.drift.policy import DAY, Standing
from fleet.plan.stages import DISRUPTIONS

CALM = Standing()
NOW = time.mktime((2026, 11, 28, 3, 0, 0, 0, 0, -1))  # a Saturday, at three by this machine's clock


def left(of: Kind, standing: Standing = CALM, **settings: object) -> str:
    return policy.left(of, "gateway | place x", DriftSpec(**settings), standing, NOW)  # type: ignore[arg-type]


def test_what_traffic_does_not_notice_is_put_right_at_once() -> None:
    assert left(Kind.SAFE) == ""


def test_restarts_wait_for_the_window() -> None:
    assert "outside drift_window (none)" in left(Kind.DISRUPTIVE)
    assert "outside drift_window (04:00-05:00)" in left(Kind.DISRUPTIVE, window="04:00-05:00")
    assert left(Kind.DISRUPTIVE, window="02:00-04:00") == ""


def test_some_things_are_for_a_person_even_in_the_window() -> None:
    assert left(Kind.NEVER, window="02:00-04:00").startswith("a person puts this right")


def test_report_only_and_a_persons_maintenance_stop_everything() -> None:
    assert "drift_mode is report" in left(Kind.SAFE, mode="report")
    assert "new fans" in left(Kind.SAFE, Standing(maintenance="new fans"))


def test_a_copy_that_is_all_that_serves_is_not_taken_away() -> None:
    assert left(Kind.SAFE, Standing(copy="main-copy serves for main")) == (
        "a deploy was interrupted, and main-copy serves for main: deploy again"
    )


def test_what_comes_back_again_and_again_is_a_fight_and_is_left() -> None:
    name, fresh, old = "gateway | place x", NOW - 60, NOW - DAY - 1
    standing = Standing(corrected={name: (old, fresh, fresh, fresh)}, fighter="puppet runs here")
    assert left(Kind.SAFE, standing) == (
        "was put right 3 times within a day, and comes back, puppet runs here"
    )
    assert left(Kind.SAFE, Standing(corrected={name: (old, fresh, fresh)})) == ""


@pytest.mark.parametrize(
    ("window", "inside"),
    [
        ("02:00-04:00", True),
        ("03:00-03:01", True),
        ("03:01-04:00", False),
        ("22:00-04:00", True),
        ("22:00-02:00", False),
        ("Sat 02:00-04:00", True),
        ("Sun 02:00-04:00", False),
        ("Mon,Sat 02:00-04:00", True),
        ("Fri 22:00-04:00", True),
        ("Sat 22:00-04:00", False),
    ],
)
def test_windows(window: str, *, inside: bool) -> None:
    assert policy.in_window(window, NOW) is inside


def test_history_forgets_after_a_day() -> None:
    before = {"a": (NOW - DAY - 1,), "b": (NOW - 1,)}
    assert policy.remember(before, ["b", "c"], NOW) == {"b": (NOW - 1, NOW), "c": (NOW,)}


@pytest.mark.parametrize(
    ("stage", "name", "first", "wanted"),
    [
        ("gateway", "place /etc/stoker/nginx.conf", "cat", Kind.SAFE),
        ("driver", "install and hold nvidia-driver-cuda", "apt-get install", Kind.NEVER),
        ("driver", "install and hold nvidia-driver-cuda", "apt-mark hold x", Kind.SAFE),
        ("runtime", "install and hold docker-ce", "{ x; } && apt-get install", Kind.NEVER),
        ("runtime", "merge /etc/docker/daemon.json", "cat", Kind.DISRUPTIVE),
        ("runtime", "run Docker with this", "systemctl restart", Kind.DISRUPTIVE),
        ("engine", "run the engines with their settings", "stokerctl", Kind.DISRUPTIVE),
        ("firewall", "load the rules", "nft", Kind.NEVER),
        ("a stage of tomorrow", "x", "y", Kind.NEVER),
    ],
)
def test_kinds(stage: str, name: str, first: str, wanted: Kind) -> None:
    assert kind(stage, name, first) is wanted


def test_every_stage_has_a_kind_of_its_own() -> None:
    assert set(DISRUPTIONS) - {"preflight"} <= set(STAGES)
