"""Who holds which slot, as people and programs read it. Pure."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from agent.errors import GARBLED
from agent.show import age
from agent.slots import Slots
from fleet.commands.hosts import Answer


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One host. `slots` None: it has no FleetLock server. `problem`: it could not tell."""

    host: str
    slots: Slots | None = None
    problem: str = ""


def nodes(answers: Mapping[str, Answer]) -> tuple[Node, ...]:
    """Read what the hosts have answered."""
    return tuple(_node(answer) for answer in answers.values())


def _node(answer: Answer) -> Node:
    if not answer.good:
        return Node(host=answer.host, problem=answer.last)
    try:
        return Node(host=answer.host, slots=msgspec.json.decode(answer.out, type=Slots | None))
    except GARBLED:
        return Node(host=answer.host, problem=answer.last)


def render(found: Sequence[Node], now: float) -> str:
    """Return the screen that `stoker brake` prints; `now` by the clock of this machine."""
    return "\n".join((*_holders(found, now), *_others(found)))


def _holders(found: Sequence[Node], now: float) -> Iterator[str]:
    held = [(one.host, one.slots) for one in found if one.slots is not None and one.slots.name]
    groups = sorted({group for _, slots in held for group in slots.asked})
    if not groups:
        yield "nobody holds a slot"
    for group in groups:
        yield group
        for host, slots in held:
            if group in slots.asked:
                state = "" if group in slots.got else "  asked for, not granted"
                out = f"  out: {', '.join(slots.out)}" if slots.out else ""
                yield f"  {host:<16} {slots.name}  {age(now - slots.since)}{out}{state}"


def _others(found: Sequence[Node]) -> Iterator[str]:
    for one in found:
        if one.slots is not None:
            for debt in one.slots.owed:
                yield f"! {one.host} could not give back {debt.group} of {debt.name} yet"
            if one.slots.refusal and not one.slots.got:
                yield f"  {one.host}: last refusal: {one.slots.refusal}"
        elif one.problem:
            yield f"? {one.host}: {one.problem}; it may hold a slot"
    if without := [one.host for one in found if one.slots is None and not one.problem]:
        yield f"no FleetLock server: {', '.join(without)}"
