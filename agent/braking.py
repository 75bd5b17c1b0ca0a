"""The fleet brake at work: who waits for a slot, who may go ahead, and when it is given back.

`brake` decides; here is what is remembered from one tick to the next.
"""

import time
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from agent import brake, slots
from agent.brake import Duty
from agent.climber import Climber
from agent.errors import NoSlotError
from agent.keeper import Disk
from agent.model import EngineState, Verb


class Braking:
    """One for the node: rungs, deploys and corrections share its slot."""

    def __init__(
        self, disk: Disk, climber: Climber, clock: Callable[[], float] = time.time
    ) -> None:
        self._disk, self._climber, self._clock = disk, climber, clock
        self._wished = 0.0  # until then somebody waits for a slot

    def take_out(self, name: str, state: EngineState, verb: Verb) -> None:
        """Remember that an engine is taken out under the slot, or stays out under it.

        If it serves it needs one. Raises `NoSlotError` while there is none; as long as this is
        asked again, one is asked for.
        """
        held = self._disk.slots
        if brake.takes_out(state, verb) and not self._climber.granted:
            self._wished = self._clock() + brake.WISH
            why = held.refusal or "it is being asked for"
            raise NoSlotError(f"engine {name}: no slot of the fleet brake yet: {why}")
        self._wished = 0.0
        if verb is not Verb.UNDRAIN:
            self.stand([name])

    def stand(self, names: Iterable[str]) -> None:
        """Remember that these engines are out under the slot, if there is one."""
        for name in sorted(names):
            if self._disk.slots.name:
                self._disk.slots = slots.taken(self._disk.slots, name)

    def turn(
        self,
        engines: Mapping[str, EngineState],
        serves: Mapping[str, str],
        *,
        due: bool,
        waits: bool,
    ) -> None:
        """Ask for the slot or give it back. `due`: a rung is; `waits`: it waits for the slot."""
        held = brake.looked(self._disk.slots, engines, serves)
        self._disk.slots = held
        wanted = waits or brake.wished(self._wished, self._clock())
        well = not due and self.well(engines)
        match brake.duty(held, wanted=wanted, granted=self._climber.granted, well=well):
            case Duty.ASK:
                self._climber.ask()
            case Duty.GIVE_BACK:
                self._climber.well()

    def well(self, engines: Mapping[str, EngineState]) -> bool:
        """See `brake.well`."""
        return brake.well(engines, self._disk.slots.out)

    def free(self) -> str:
        """Give the slot back by a person's word, whether the node serves or not; return its name.

        Whoever waits for it waits on. Who is out stays out, and no later slot is kept for that.
        """
        held = self._disk.slots
        self._disk.slots = replace(slots.given_back(held), out=())
        self._climber.granted = False
        self._climber.well()
        return held.name
