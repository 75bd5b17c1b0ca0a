"""What the journal and the audit log hear of a decision."""

import logging

from agent.audit import Audit
from agent.model import Decision, EngineState

log = logging.getLogger("stoker.loop")


def told(audit: Audit, name: str, before: EngineState, decision: Decision) -> None:
    """Tell of a decision that changes an engine's phase or reason, or starts it."""
    after = decision.state
    if before.phase is after.phase and before.reason == after.reason and not decision.start:
        return
    log.info(
        "engine=%s phase=%s from=%s reason=%s by=%s start=%s: %s",
        *(name, after.phase, before.phase, after.reason),
        *(after.by, decision.start, after.message),
    )
    audit.write(
        "decision",
        engine=name,
        phase=after.phase,
        reason=after.reason,
        by=after.by,
        start=decision.start,
        message=after.message,
    )
