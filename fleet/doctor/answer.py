"""What a host's doctor answered. Pure."""

import msgspec

from agent.doctor.finding import Report
from agent.errors import GARBLED
from fleet.facts.diagnosis import ABSENT


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a host answered; without a report, `problem` says why in a sentence.

    `asked` and `answered` are this machine's clock at both ends, in seconds since 1970.
    """

    report: Report | None = None
    problem: str = ""
    asked: float = 0.0
    answered: float = 0.0


def read(told: str, asked: float, answered: float) -> Answer:
    """Make an answer of what the host printed."""
    if told.strip() == ABSENT:
        return Answer(problem="has no doctor yet: deploy it first")
    try:
        report = msgspec.json.decode(told, type=Report)
    except GARBLED:
        last = told.strip().splitlines()[-1:] or ["it says nothing"]
        if "invalid choice" in last[0]:
            last = ["an older version is deployed, which has no doctor; deploy it again"]
        return Answer(problem=f"its doctor gives no report: {last[0][:200]}")
    return Answer(report=report, asked=asked, answered=answered)
