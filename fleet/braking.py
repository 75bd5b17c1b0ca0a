"""The fleet brake, as a deploy sees it: engines that serve are taken out with a slot, if at all.

The node asks for the slot and gives it back (`agent.brake`); a deploy only says that it is to.
"""

import os

from agent.spec import HostSpec

# `STOKER_BRAKE=off`: an operator's word that this very run is not to wait for slots.
VARIABLE, OFF = "STOKER_BRAKE", "off"
DRIFT_WAIT = 120.0  # seconds; the next check asks again

_checking = False


def check_for_drift() -> None:
    """Tell that this process is a check: it is not to hold the lock of its node for long."""
    global _checking  # noqa: PLW0603 - a process is one kind of run
    _checking = True


def slot_wait(spec: HostSpec) -> float:
    """Return the seconds to wait for a slot; 0 = none is needed."""
    if not spec.agent.fleetlock_url or off():
        return 0.0
    return min(spec.rollout.slot_wait, DRIFT_WAIT) if _checking else spec.rollout.slot_wait


def reason(words: str, spec: HostSpec) -> str:
    """Return a reason for the audit log that tells of an operator's word, where there was one."""
    overruled = spec.agent.fleetlock_url and off()
    return f"{words} (without a slot: {VARIABLE}={OFF})" if overruled else words


def off() -> bool:
    """Say whether an operator's word is that this run does without slots."""
    return os.environ.get(VARIABLE) == OFF
