"""The slot of this node at the FleetLock server: asked for, kept on disk, and given back.

`slots` decides; here is what it takes to carry that out. One call at a time, by the climber.
"""

import logging
import secrets
import time
from collections.abc import Callable
from typing import Protocol

from agent import slots
from agent.fleetlock import SETTLING, SLOTS_TAKEN, Granted, Refused, Slot
from agent.memory import Memory
from agent.slots import Debt, Slots, Word

log = logging.getLogger("stoker.keeper")

# Answers after which the request is surely not, and will not be, carried out.
_NO = {SLOTS_TAKEN, "LockRejects"}
_NOT_SAVED = Refused(reason="NotSaved", message="the agent's state cannot be saved")

Server = Callable[[str, str], Slot]  # of a group and a name


class Disk(Protocol):
    """Where the slots lie. What is set is kept in memory; what is saved survives the host."""

    slots: Slots

    def save(self) -> bool:
        """Write all that was set; False when it cannot be written."""


class InState:
    """The real one: a part of the agent's state. See `Disk`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.save = memory.save

    @property
    def slots(self) -> Slots:
        """What is held, or may be."""
        return self._memory.state.slots

    @slots.setter
    def slots(self, changed: Slots) -> None:
        self._memory.change(slots=changed)


class Keeper:
    """See `fleetlock.Slot`: a slot in each group of the node, all or none.

    `groups` are those of the node now; `host` begins every name, for who reads the server's list.
    """

    def __init__(
        self,
        disk: Disk,
        groups: Callable[[], tuple[str, ...]],
        server: Server,
        host: str,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._disk, self._groups, self._server = disk, groups, server
        self._host, self._clock, self._steady = host, clock, steady
        self._again: dict[Debt, float] = {}  # not before; nobody can set the steady clock

    async def acquire(self) -> Granted | Refused:
        """See `Slot`. What is owed is paid first: a node that cannot give back takes no more."""
        await self._pay()
        groups = self._groups()
        if any(one.group in groups for one in self._disk.slots.owed):
            return Refused(reason="LockUnsettled", message=self._owed())
        held = slots.named(self._disk.slots, self.fresh(), self._clock())
        name = held.name
        for group in groups:  # also one that is held: an operator may have freed it
            if not self._keep(slots.asking(held, group)):
                return _NOT_SAVED
            answer = await self._server(group, name).acquire()
            said = "" if isinstance(answer, Granted) else answer.message
            held = slots.heard(self._disk.slots, name, group, _word(answer), said)
            saved = self._keep(held)
            if isinstance(answer, Refused):
                await self._pay()
                return answer
            if not saved:
                return _NOT_SAVED
            if held.name != name:
                return Refused(reason="LockUnsettled", message="a person freed it meanwhile")
        return Granted(f"slots of {', '.join(groups)} as {name}")

    def fresh(self) -> str:
        """Return a name that was never used before."""
        return f"{self._host}.{secrets.token_hex(8)}"

    async def release(self) -> Refused | None:
        """See `Slot`."""
        if not self._keep(slots.given_back(self._disk.slots)):
            return _NOT_SAVED
        await self._pay()
        if self._disk.slots.owed:
            return Refused(reason="LockUnsettled", message=self._owed())
        if self._disk.slots.debts:
            return Refused(reason=SETTLING, message="once more, should a request have come late")
        return None

    async def _pay(self) -> None:
        """Give back what is owed and due, once; a server that does not answer ends it."""
        now = self._steady()
        for debt in self._disk.slots.debts:
            if debt.again and now < self._again.setdefault(debt, now + slots.SETTLING):
                continue
            problem = await self._server(debt.group, debt.name).release()
            if problem is None:
                self._again.pop(debt, None)
                self._keep(slots.paid(self._disk.slots, debt))
                continue
            log.info("%s of %s is not given back: %s", debt.group, debt.name, problem.message)
            if problem.reason not in _NO:
                return

    def _keep(self, changed: Slots) -> bool:
        """Remember, on disk; undone when that fails."""
        before, self._disk.slots = self._disk.slots, changed
        if self._disk.save():
            return True
        self._disk.slots = before
        return False

    def _owed(self) -> str:
        owed = (f"{one.group} of {one.name}" for one in self._disk.slots.owed)
        return f"to be given back: {', '.join(owed)}"


def _word(answer: Granted | Refused) -> Word:
    if isinstance(answer, Granted):
        return Word.YES
    return Word.NO if answer.reason in _NO else Word.UNKNOWN
