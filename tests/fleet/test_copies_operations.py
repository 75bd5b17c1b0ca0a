"""A copy is waited for, not started twice; it goes drained, and leaves no trace in the manifest."""

from typing import Any

import pytest

from agent.spec import HostSpec, digest
from fleet import copies, manifest
from fleet.facts.engines import AgentStatus, Engine, State, Status
from fleet.operations.copies import copies_drained, copies_serve
from tests.fleet.samples import FakeHost, commands, spec

COPY = "main-copy"


def both(**data: Any) -> HostSpec:
    made = spec(driver_gpu_count=2, **data)
    main = Engine(State("SERVING"), "old", "org/model", "org/model", 8080)
    return copies.beside(made, Status({"main": main}), ())


@pytest.mark.parametrize(
    ("phase", "running", "again"),
    [
        ("STARTING", None, False),  # the agent has begun with it
        ("STARTING", "same", False),
        ("SERVING", "same", False),  # of a run that was interrupted
        ("DRAINED", "same", False),
        ("DRAINED", "old", True),
        ("SERVING", "old", True),
        ("STARTING", "old", True),
        ("QUARANTINED", None, True),
    ],
)
def test_a_copy_is_waited_for_and_started_again_only_if_it_must(
    phase: str, running: str | None, again: bool
) -> None:
    made = both()
    settings = digest(made.engines[COPY]) if running == "same" else running
    host = FakeHost({AgentStatus: Status({COPY: Engine(State(phase), settings)})})
    said = [
        one.get_raw_value() for one in commands(host, lambda: copies_serve._inner(made, [COPY]))
    ]
    verbs = ["restart", "undrain"] if again else ["undrain"]  # until it serves, whatever it was
    assert all(
        f"stokerctl {verb} {COPY} --wait" in one for verb, one in zip(verbs, said, strict=True)
    )


def test_a_copy_that_never_answers_sends_the_host_back() -> None:
    host = FakeHost({AgentStatus: Status()})
    [command] = commands(host, lambda: copies_serve._inner(both(), [COPY]))
    text = command.get_raw_value()
    assert "_SYSTEMD_UNIT=stoker-engine@main-copy.service" in text
    assert "stoker-release converge" in text
    assert "--slot" not in text  # nobody is taken out


def test_a_copy_takes_no_slot_of_the_fleet_brake() -> None:
    made = both(agent_fleetlock_url="http://lock.example")
    host = FakeHost({AgentStatus: Status()})
    [command] = commands(host, lambda: copies_serve._inner(made, [COPY]))
    assert "--slot" not in command.get_raw_value()


def test_a_copy_goes_drained_and_is_no_part_of_what_was_left() -> None:
    host = FakeHost({})
    manifest.of(host).composed |= {  # type: ignore[arg-type]
        "stoker-engine@main.service",
        "stoker-engine@main-copy.service",
    }
    [command] = commands(host, lambda: copies_drained._inner(both(), [COPY]))
    assert "stokerctl drain main-copy --wait" in command.get_raw_value()
    assert manifest.of(host).composed == {"stoker-engine@main.service"}  # type: ignore[arg-type]
