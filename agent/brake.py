"""When a slot of the fleet brake is asked for, and when it is given back. Pure.

What takes an engine that serves out of service by our own initiative needs a slot: a reset, a
reboot, a restart or drain that a deploy or a correction asks for. What takes nobody out needs none:
the restart of an engine that has ended, hangs, or is drained for a fault. A drain for a fault never
waits, and a person is obeyed.

The slot is kept until every engine serves that was taken out under it, over a reboot as well: a
node that does not come back keeps its slot until a person frees it. An engine that is out for
another reason, a fault or a person's drain, keeps none.
"""

from collections.abc import Collection, Mapping
from enum import Enum

from msgspec.structs import replace

from agent.model import EngineState, Phase, Verb
from agent.slots import Slots

WISH = 15.0  # seconds for which one who waits for a slot is remembered


class Duty(Enum):
    """What is to be done about the slot now."""

    NOTHING = 0
    ASK = 1
    GIVE_BACK = 2


def duty(slots: Slots, *, wanted: bool, granted: bool, well: bool) -> Duty:
    """Return what is to be done: `wanted`, and not yet `granted`; or `well`, so that it is over.

    What is owed under a name that is not in use any more is given back in any case.
    """
    if wanted:
        return Duty.NOTHING if granted else Duty.ASK
    if well or (slots.debts and not slots.name):
        return Duty.GIVE_BACK
    return Duty.NOTHING


def takes_out(state: EngineState, verb: Verb) -> bool:
    """Say whether carrying this out takes an engine out of service that serves."""
    return state.phase is Phase.SERVING and verb is not Verb.UNDRAIN


def well(engines: Mapping[str, EngineState], out: Collection[str]) -> bool:
    """Say whether every engine serves again that was taken out under the slot, or is no more."""
    return all(name not in engines or engines[name].phase is Phase.SERVING for name in out)


def looked(slots: Slots, engines: Mapping[str, EngineState], serves: Mapping[str, str]) -> Slots:
    """Take in a look. `serves`: models of the engines that run with their settings of now.

    A node that changes its model counts for both until it serves the new one.
    """
    out = tuple(n for n in slots.out if n in engines and engines[n].phase is not Phase.SERVING)
    serving = all(state.phase is Phase.SERVING for state in engines.values())
    models = slots.models
    if serving and serves.keys() == engines.keys():
        models = tuple(sorted(set(serves.values())))
    if out == slots.out and models == slots.models:
        return slots
    return replace(slots, out=out, models=models)


def wished(until: float, now: float) -> bool:
    """Say whether one who waits for a slot, until then, still counts, whatever the clock did."""
    return 0 < until - now <= WISH
