"""Readings in the words of the agent's mind."""

import pytest

from agent.model import Condition, EngineState, Observed, Phase, Remedy, Status
from agent.observe import answering, observe, policy, subjects
from agent.reports import Exit, ExitClass, Started
from agent.sources.engine import Answer, EngineReading
from agent.spec import HostSpec
from tests.agent.fakes import gone, look
from tests.agent.node import engine

STATE = EngineState(phase=Phase.SERVING, since=0.0, reason="R", message="m", last_start=100.0)
STARTED = Started(engine="main", digest="d", container="c", gpus=("GPU-0", "GPU-1"), started=1.0)
FAULT = Condition(
    check="c",
    subject="engine:main",
    status=Status.FAIL,
    reason="PortClosed",
    message="closed",
    remedy=Remedy.RESTART,
    since=1.0,
)


def ended(kind: ExitClass, at: float) -> Exit:
    return Exit(
        engine="main",
        digest="d",
        kind=kind,
        reason="Reason",
        message="message",
        code=1,
        lines=(),
        started=at - 1,
        ended=at,
    )


def seen(reading: EngineReading | None, worst: Condition | None = None) -> Observed:
    return observe(STATE, reading, worst, busy=False)


def test_nothing_is_known_without_a_look_and_during_an_act() -> None:
    assert observe(STATE, None, FAULT, busy=False) == Observed()
    assert observe(STATE, gone(), FAULT, busy=True) == Observed()


def test_an_engine_that_serves() -> None:
    assert seen(look(in_flight=2)) == Observed(running=True, answering=True, in_flight=2)


def test_the_worst_condition_gives_remedy_and_reason() -> None:
    found = seen(look(), FAULT)
    assert (found.remedy, found.reason) == (Remedy.RESTART, "PortClosed")


@pytest.mark.parametrize(("kind", "hopeless"), [(k, k.hopeless) for k in ExitClass])
def test_the_end_of_this_run_tells_why(kind: ExitClass, hopeless: bool) -> None:
    found = seen(gone(ended(kind, at=101.0)), FAULT)
    assert (found.running, found.hopeless, found.reason) == (False, hopeless, "Reason")


def test_the_end_of_a_former_run_tells_nothing() -> None:
    found = seen(gone(ended(ExitClass.CONFIG, at=99.0)))
    assert (found.hopeless, found.reason) == (False, "")


def test_the_end_of_a_former_run_tells_nothing_of_one_that_runs() -> None:
    assert not seen(look(ended=ended(ExitClass.CONFIG, at=101.0))).hopeless


@pytest.mark.parametrize(
    ("health", "chat", "expected"),
    [
        (Answer.OK, Answer.OK, True),
        (Answer.OK, Answer.BAD, False),
        (Answer.OK, Answer.SLOW, None),
        (Answer.OK, None, None),
        (Answer.BAD, None, None),
        (Answer.SLOW, None, None),
        (Answer.REFUSED, None, False),
    ],
)
def test_answering(health: Answer, chat: Answer | None, expected: bool | None) -> None:
    assert answering(look(health=health, chat=chat)) is expected


@pytest.mark.parametrize(
    ("health", "in_flight", "expected"),
    [(Answer.OK, 3, 3), (Answer.SLOW, None, None), (Answer.REFUSED, None, 0)],
)
def test_a_closed_port_holds_no_request(
    health: Answer, in_flight: int | None, expected: int | None
) -> None:
    assert seen(look(health=health, chat=None, in_flight=in_flight)).in_flight == expected


def test_an_engine_depends_on_itself_and_on_the_gpus_it_was_started_with() -> None:
    found = subjects("main", engine(gpus=("GPU-0", "GPU-1")))
    assert {"engine:main", "node", "gpu:GPU-0", "gpu:GPU-1", "fabric:GPU-1"} <= found
    assert not any("fabric" in one for one in subjects("main", engine(gpus=("GPU-0",))))
    assert subjects("main", engine()) == {"engine:main", "node"}


def test_policy_is_read_off_the_spec() -> None:
    data = {
        "engine_image": "x@sha256:" + "a" * 64,
        "engine_model": "a/b",
        "engine_revision": "a" * 40,
        "engine_drain_deadline": 7,
        "agent_restart_budget": 9,
    }
    for mode in ("observe", "act"):
        spec = HostSpec.from_data("host", {**data, "agent_remediation": mode})
        found = policy(spec, spec.engines["main"])
        assert (found.act, found.budget, found.drain_deadline) == (mode == "act", 9, 7.0)
