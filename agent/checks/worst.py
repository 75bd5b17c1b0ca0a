"""One result of several findings about the same subject: a check says one thing of each."""

from collections.abc import Iterable

import msgspec

from agent.model import CheckResult, Status

_ORDER = (Status.OK, Status.UNKNOWN, Status.WARN, Status.FAIL)


def worst(findings: Iterable[CheckResult], well: CheckResult) -> CheckResult:
    """Return the gravest finding with what the others say, or `well` when there is none.

    The graver status leads, then the stronger remedy, then whichever was found first. Its message
    is followed by the messages of the others; the least capacity counts.
    """
    found = sorted(findings, key=lambda r: (-_ORDER.index(r.status), -r.remedy.rank))
    if not found:
        return well
    return msgspec.structs.replace(
        found[0],
        message="; ".join(result.message for result in found),
        capacity=min(result.capacity for result in found),
        evidence=", ".join(filter(None, (result.evidence for result in found))),
    )
