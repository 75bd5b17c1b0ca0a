"""Why a rung of the ladder that is due does not begin, and what an operator can do. Pure."""

from agent.ladder import Step
from agent.model import Remedy

# reason token: why, and what to do; {rung} and {subject} are those of the step
WAITS = {
    "NotArmed": (
        "the agent may not do this by itself",
        'do it by hand, or set agent_arm_{rung} = True (and agent_remediation = "act") and deploy',
    ),
    "BreakerOpen": (
        "there were as many acts within an hour as agent_acts_per_hour allows",
        "look for one cause behind them all; the agent goes on when an hour has passed",
    ),
    "AnotherAct": (
        "another rung is under way",
        "nothing: it begins when that has ended",
    ),
    "Companions": (
        "the fault is only seconds old, and more may be told of it",
        "nothing: it begins when agent_companion_window has passed",
    ),
    "Settling": (
        "a rung on {subject} has just ended, and its effect may still show",
        "nothing: half a minute decides",
    ),
    "Unused": (
        "it would stop engines that work, and none that stands still would work again by it",
        "drain the others and do it by hand, when that suits you",
    ),
    "PersonAtWork": (
        "a person has drained an engine on {subject}, so it is in that person's hands",
        "undrain that engine when the work is done",
    ),
    "EnginesDraining": (
        "requests are still in flight on {subject}",
        "nothing: it begins when they are done, at the latest at the drain's deadline",
    ),
    "EnginesStopping": (
        "an engine on {subject} is not seen to have stopped",
        "look at its unit (systemctl status 'stoker-engine@*') if this lasts for minutes",
    ),
    "Inhibited": (
        "the file /etc/stoker/inhibit forbids it",
        "remove that file when it may go on",
    ),
    "NoSlot": (
        "the FleetLock server grants no slot",
        "nothing is drained for it until then; it is asked again every 30 s; free the slot of a "
        "node that will not come back",
    ),
}


def sentences(step: Step) -> tuple[str, str]:
    """Return why the step does not begin, and what to do about it."""
    if step.rung is Remedy.QUARANTINE:
        return "no rung is left", "a person has to look at it"
    if step.waits not in WAITS:
        return step.waits or "it begins with the next tick", ""
    why, what = WAITS[step.waits]
    facts = {"rung": step.rung.value, "subject": step.subject}
    return why.format(**facts), what.format(**facts)
