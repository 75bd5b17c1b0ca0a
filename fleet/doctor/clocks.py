"""Does a host's clock agree with this machine's? Pure."""

from collections.abc import Iterator

from msgspec.structs import replace

from agent.doctor.finding import Finding, fault
from fleet.doctor.answer import Answer

OFF = 5.0  # seconds beyond what the answer took


def clock(answer: Answer) -> Iterator[Finding]:
    """Compare the host's instant with the two of this machine between which it lies."""
    if answer.report is None:
        return
    at = answer.report.at
    off = max(answer.asked - at, at - answer.answered)
    if off > OFF:
        side = "behind" if at < answer.asked else "ahead of"
        found = fault(
            f"the clock is {off:.0f} s {side} this machine's: one of the two is wrong",
            "timedatectl and chronyc tracking, on both",
        )
        yield replace(found, examination="clock")
