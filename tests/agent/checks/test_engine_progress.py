"""What the pace of an engine means for its condition."""

import msgspec
import pytest

from agent import checks, conditions
from agent.checks.engine_progress import EngineProgress
from agent.engines.base import Load
from agent.model import CheckResult, Remedy, Status
from agent.pace import Kind, Pace
from agent.sources import Reading
from agent.sources.engine import EngineReading
from agent.spec import HostSpec
from tests.agent.fakes import gone, look

SPEC = HostSpec.from_data(
    "host",
    {"engine_image": "x@sha256:" + "a" * 64, "engine_model": "a/b", "engine_revision": "a" * 40},
)
STILL = Pace(kind=Kind.HUNG, at=9.0, progress=4711.0, still=8.0, quiet=9.0, asked=5.0, clear=True)


def paced(pace: Pace | None, in_flight: int | None = 3) -> EngineReading:
    load = Load(running=in_flight, waiting=None if in_flight is None else 0)
    return msgspec.structs.replace(look(), load=load, pace=pace)


def judge(reading: EngineReading | None) -> CheckResult:
    (found,) = EngineProgress().judge({"main": Reading(reading, "systemd is silent")}, SPEC)
    assert found.subject == "engine:main"
    return found


@pytest.mark.parametrize(
    ("kind", "asked", "status", "reason"),
    [
        (Kind.IDLE, None, Status.OK, "Ok"),
        (Kind.IDLE, 2.0, Status.OK, "Ok"),
        (Kind.MOVING, None, Status.OK, "Ok"),
        (Kind.BLIND, None, Status.OK, "Ok"),
        (Kind.BLIND, 20.0, Status.UNKNOWN, "CannotLook"),
        (Kind.STALLED, 1.0, Status.WARN, "EngineStalled"),
        (Kind.FULL, None, Status.WARN, "EngineStalled"),
        (Kind.HUNG, 5.0, Status.FAIL, "EngineHung"),
    ],
)
def test_judgement(kind: Kind, asked: float | None, status: Status, reason: str) -> None:
    found = judge(paced(msgspec.structs.replace(STILL, kind=kind, asked=asked)))
    assert (found.status, found.reason) == (status, reason)
    hung = kind is Kind.HUNG
    assert (found.certain, found.fatal) == (hung, hung)
    assert found.remedy is (Remedy.RESTART if hung else Remedy.NONE)


def test_says_what_it_has_seen() -> None:
    found = judge(paced(STILL))
    assert found.message == (
        "the engine is hung: no step for 8 s with 3 pending, and a probe is not answered"
    )
    assert found.evidence == (
        "steps 4711, pending 3, still for 8.0 s, last sign of life 9.0 s ago, health ok, "
        "probe unanswered for 5.0 s"
    )
    idle = judge(paced(msgspec.structs.replace(STILL, still=0.0, quiet=14.0), in_flight=0))
    assert "no sign of life for 14 s" in idle.message
    blind = judge(paced(msgspec.structs.replace(STILL, progress=None), in_flight=None))
    assert blind.evidence.startswith("steps unreadable, pending unknown, ")


@pytest.mark.parametrize("reading", [None, gone()])
def test_what_is_not_seen_is_unknown(reading: EngineReading | None) -> None:
    assert judge(reading).status is Status.UNKNOWN


def test_one_look_restarts_and_a_new_run_clears() -> None:
    streaks: conditions.Streaks = {}
    seen = []
    for reading in (paced(STILL), gone(), paced(None)):
        streaks = conditions.update(streaks, [judge(reading)], 2, 1, 0.0)
        seen.append([c.reason for c in conditions.opened(streaks)])
    assert seen == [["EngineHung"], ["EngineHung"], []]


def test_is_among_the_checks() -> None:
    assert "engine_progress" in {check.name for check in checks.CHECKS}
