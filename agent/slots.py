"""What this node holds, or may hold, at the FleetLock server. Pure; it lies on disk.

Never more of us are out than there are slots, whatever is lost, late or told twice, by three rules
that need no clock:

1. Each spell of holding has a name of its own, which is never asked for again once it was given
   back: a release that comes late takes nothing from who acts.
2. What is about to be asked for or given back is on disk before the server hears of it.
3. From the moment that a name is given back nothing is taken out of service under it.

A name is given back twice: at once, until the server says yes, and once more when no request of
ours can be on its way any more. So none that came late leaves a slot behind that nobody holds.
"""

import re
from collections.abc import Iterable
from enum import Enum

from msgspec.structs import replace

from agent.model import Value

SETTLING = 300.0  # seconds after which no request of ours is still on its way
MODEL = "{model}"  # in the name of a group


class Word(Enum):
    """What a request has led to. NO: not held at that time; UNKNOWN: it may or may not."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Debt(Value, frozen=True, kw_only=True):
    """A slot that may be held under a name, and is to be given back: `again`, or at once."""

    name: str
    group: str
    again: bool = False


class Slots(Value, frozen=True, kw_only=True):
    """`name`: what slots are held or asked for under; "" = neither. `got` are the groups held.

    `asked`: groups that the server was asked for under this name. `out`: engines that were taken
    out under a slot and have not served since. `models`: those that the node served when it was
    last seen to serve with its settings. `refusal`: why not, last time.
    """

    name: str = ""
    since: float = 0.0
    asked: tuple[str, ...] = ()
    got: tuple[str, ...] = ()
    debts: tuple[Debt, ...] = ()
    out: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def owed(self) -> tuple[Debt, ...]:
        """What the server has not given back once yet."""
        return tuple(one for one in self.debts if not one.again)


def groups(pattern: str, models: Iterable[str]) -> tuple[str, ...]:
    """Return the groups of a node, in the order in which they are asked for.

    All nodes ask in the same order, so of two that want the same groups one gets on. What the
    protocol does not allow in the name of a group becomes '-'.
    """
    names = {pattern.replace(MODEL, re.sub(r"[^a-zA-Z0-9.-]", "-", model)) for model in models}
    return tuple(sorted(names))


def named(slots: Slots, name: str, now: float) -> Slots:
    """Go on under the name that is in use, else under this new one."""
    return slots if slots.name else replace(slots, name=name, since=now)


def asking(slots: Slots, group: str) -> Slots:
    """Return what is to be on disk before the group is asked for."""
    return slots if group in slots.asked else replace(slots, asked=(*slots.asked, group))


def heard(slots: Slots, name: str, group: str, word: Word, refusal: str = "") -> Slots:
    """Take in what asking for a group has led to. All groups are held, or none is kept."""
    if slots.name != name:  # given back meanwhile: that is a debt already
        return slots
    if word is Word.YES:
        got = slots.got if group in slots.got else (*slots.got, group)
        return replace(slots, got=got, refusal="")
    known = replace(slots, refusal=refusal)
    return given_back(known) if word is Word.NO and slots.got else known


def given_back(slots: Slots) -> Slots:
    """Be done with the name: what may be held under it is owed."""
    if not slots.name:
        return slots
    owed = tuple(Debt(name=slots.name, group=group) for group in slots.asked)
    return replace(slots, name="", since=0.0, asked=(), got=(), debts=(*slots.debts, *owed))


def paid(slots: Slots, debt: Debt) -> Slots:
    """Take in that the server has given a slot back."""
    rest = tuple(one for one in slots.debts if one != debt)
    if not debt.again:
        rest = (*rest, replace(debt, again=True))
    return replace(slots, debts=rest)


def taken(slots: Slots, engine: str) -> Slots:
    """Remember that an engine is out of service under the slot."""
    return slots if engine in slots.out else replace(slots, out=(*slots.out, engine))
