"""Whether the port of a running engine answers."""

import pytest

from agent.checks.engine_answers import EngineAnswers
from agent.model import Remedy, Status
from agent.sources import Reading
from agent.sources.engine import Answer, EngineReading
from tests.agent.checks.boards import SPEC, Round
from tests.agent.fakes import gone, look


@pytest.mark.parametrize(
    ("reading", "status", "reason"),
    [
        (look(), Status.OK, "Ok"),
        (look(health=Answer.SLOW), Status.UNKNOWN, "CannotLook"),
        (look(health=Answer.REFUSED, loaded=True), Status.FAIL, "PortClosed"),
        (look(health=Answer.BAD, loaded=True), Status.FAIL, "Unhealthy"),
        (look(health=Answer.REFUSED), Status.OK, "Ok"),  # every load is like that
        (look(health=Answer.BAD), Status.OK, "Ok"),
        (gone(), Status.OK, "Ok"),  # whatever stood about its port is over
        (None, Status.UNKNOWN, "CannotLook"),
    ],
)
async def test_engine_answers(reading: EngineReading | None, status: Status, reason: str) -> None:
    sources = Round(engines={"main": Reading(reading, "systemd is silent")})
    (found,) = EngineAnswers().judge(await EngineAnswers().read(sources), SPEC)
    assert (found.subject, found.status, found.reason) == ("engine:main", status, reason)
    assert found.remedy is (Remedy.RESTART if status is Status.FAIL else Remedy.NONE)
    assert bool(found.evidence) is (status is Status.FAIL)
