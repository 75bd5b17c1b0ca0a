import pytest

from fleet.applying import Ask, When, ask, disturbs
from fleet.facts.engines import AgentStatus, Engine, State, Status

NOW, OLD = "digest-now", "digest-old"


@pytest.mark.parametrize(
    ("state", "running", "first", "roll"),
    [
        (State("SERVING"), NOW, Ask.NOTHING, Ask.NOTHING),
        (State("SERVING"), OLD, Ask.NOTHING, Ask.RESTART),
        (State("SERVING"), None, Ask.NOTHING, Ask.HELD),
        (State("DRAINING", goal="restart"), OLD, Ask.NOTHING, Ask.RESTART),
        (State("DRAINING", "ann", "maintenance"), OLD, Ask.NOTHING, Ask.HELD),
        (State("DRAINING", "ann", "maintenance"), NOW, Ask.NOTHING, Ask.NOTHING),
        (State("DRAINED", "ann"), NOW, Ask.NOTHING, Ask.NOTHING),
        (State("DRAINED", "ann"), OLD, Ask.RESTART, Ask.RESTART),
        (State("STARTING"), NOW, Ask.WAIT, Ask.WAIT),
        (State("STARTING"), None, Ask.WAIT, Ask.WAIT),
        (State("STARTING"), OLD, Ask.RESTART, Ask.RESTART),
        (State("QUARANTINED"), None, Ask.RESTART, Ask.RESTART),
        (State("QUARANTINED"), NOW, Ask.RESTART, Ask.RESTART),
    ],
)
def test_what_is_asked(state: State, running: str | None, first: Ask, roll: Ask) -> None:
    engine = Engine(state, running)
    assert ask(engine, NOW, When.NOT_SERVING) is first
    assert ask(engine, NOW, When.ALWAYS) is roll


def test_an_engine_that_the_agent_does_not_know_is_started() -> None:
    assert ask(None, NOW, When.NOT_SERVING) is Ask.RESTART


def test_the_status_of_the_agent_is_read_without_what_a_deploy_does_not_need() -> None:
    text = (
        '{"node": "x", "engines": {"main": {"state": {"phase": "SERVING", "by": "agent", "since":'
    )
    lines = [text, ' 1.0}, "kind": "tgi", "running_digest": "d"}}}']
    assert AgentStatus().process(lines) == Status({"main": Engine(State("SERVING", "agent"), "d")})


def test_no_agent_no_engines() -> None:
    assert AgentStatus().process(["stokerctl: not found"]) == Status()


@pytest.mark.parametrize(
    ("engines", "disturbed"),
    [
        ({}, False),
        ({"main": Engine(State("SERVING"), NOW)}, False),
        ({"main": Engine(State("SERVING"), OLD)}, True),
        ({"main": Engine(State("SERVING"), None)}, True),
        ({"main": Engine(State("STARTING"), OLD)}, False),
        ({"main": Engine(State("QUARANTINED"), OLD)}, False),
        ({"former": Engine(State("SERVING"), OLD)}, True),  # one with another name, that goes
        ({"former": Engine(State("DRAINING"), OLD)}, True),
        ({"former": Engine(State("DRAINED"), OLD)}, False),
    ],
)
def test_whose_traffic_is_disturbed(engines: dict[str, Engine], disturbed: bool) -> None:
    assert disturbs({"main": NOW}, Status(engines=engines)) is disturbed
