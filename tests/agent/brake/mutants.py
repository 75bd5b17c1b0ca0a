"""The protocol of the brake, each time with one thing wrong: the simulation has to notice."""

import random
from collections.abc import Mapping

from agent import slots
from agent.braking import Braking
from agent.climber import Climber
from agent.fleetlock import Granted, Refused
from agent.keeper import Keeper
from agent.model import EngineState, Verb
from tests.agent.brake.calls import LATE, Answer, Line
from tests.agent.brake.node import Node
from tests.agent.brake.world import Server


class _GivesBackEarly(Braking):
    def well(self, engines: Mapping[str, EngineState]) -> bool:
        return True


class GivesBackEarly(Node):
    """The slot is given back when the act has begun, not when the engine serves again."""

    braking = _GivesBackEarly


class _ForgetsWhomItTookOut(Braking):
    def take_out(self, name: str, state: EngineState, verb: Verb) -> None:
        before = self._disk.slots
        super().take_out(name, state, verb)
        self._disk.slots = before


class ForgetsWhomItTookOut(Node):
    """An engine that a deploy has drained counts as one that a person wants out."""

    braking = _ForgetsWhomItTookOut


class ForgetsItsRungs(Node):
    """What a reboot takes out is not out under its slot."""

    def _make_way(self) -> None:
        before = self.disk.slots
        super()._make_way()
        self.disk.slots = before

    def _begun(self) -> bool:
        self.rung = False
        return True


class _Hopeful(Line):
    async def acquire(self) -> Granted | Refused:
        answer = await super().acquire()
        return Granted("surely") if answer is LATE else answer


class ActsUnheard(Node):
    """No answer counts as a yes."""

    def line(self, group: str, name: str) -> Line:
        return _Hopeful(self, group, name)


class _OneName(Keeper):
    def fresh(self) -> str:
        return self._host


class OneName(Node):
    """A node always goes by the same name: a release that comes late takes its next slot away."""

    keeper = _OneName


class _GivesBackUnsaved(Keeper):
    async def release(self) -> Refused | None:
        held = self._disk.slots
        for group in held.asked:
            await self._server(group, held.name).release()
        return await super().release()


class GivesBackUnsaved(Node):
    """What is given back is forgotten in a crash, and its name asked for again."""

    keeper = _GivesBackUnsaved


class _SlowToLetGo(Climber):
    def well(self) -> None:
        before = self.granted
        super().well()
        self.granted = before

    async def _release(self) -> None:
        await super()._release()
        self.granted = False


class SlowToLetGo(Node):
    """While the slot is being given back, engines may still be taken out under it."""

    climber = _SlowToLetGo


class _TakesWhatItGets(Keeper):
    async def acquire(self) -> Granted | Refused:
        held = slots.named(self._disk.slots, self.fresh(), self._clock())
        groups = random.Random(held.name).sample(self._groups(), len(self._groups()))
        for group in groups:
            held = slots.asking(held, group)
            self._keep(held)
            if group in held.got:
                continue
            answer = await self._server(group, held.name).acquire()
            if isinstance(answer, Refused):
                return answer
            held = slots.heard(self._disk.slots, held.name, group, slots.Word.YES)
            self._keep(held)
        return Granted("")


class TakesWhatItGets(Node):
    """Groups are asked for in any order, and what is held is kept while another is waited for."""

    keeper = _TakesWhatItGets


class Expires(Server):
    """A server that frees a slot whose holder was not heard of for ten minutes."""

    def carry_out(self, verb: str, group: str, name: str, now: float) -> Answer:
        holders = self.holders.setdefault(group, {})
        for late in [one for one, since in holders.items() if now - since > 600.0]:
            del holders[late]
        return super().carry_out(verb, group, name, now)


class Generous(Server):
    """A server that counts wrongly."""

    def carry_out(self, verb: str, group: str, name: str, now: float) -> Answer:
        self.most = 3
        return super().carry_out(verb, group, name, now)
