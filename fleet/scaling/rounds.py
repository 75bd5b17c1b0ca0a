"""One look at the whole fleet: what each model wants, and who is told. Its edges are the ways."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from agent.scaling_spec import ScalingSpec
from fleet.scaling import course, reason, telling
from fleet.scaling.event import Event
from fleet.scaling.hpa import Replica
from fleet.scaling.replicas import by_use
from fleet.scaling.telling import Memory, Told

UNLIMITED = "not told: without scaling_max nobody knows where it would end"


class Way(Protocol):
    """How an answer is told. `tests/fleet/scaling/` has a fake."""

    @property
    def name(self) -> str:
        """The key under which is remembered what was told this way."""

    def tell(self, event: Event) -> str:
        """Tell it; return what went wrong in a sentence, or nothing."""


class ModelScale(msgspec.Struct, frozen=True, kw_only=True):
    """One model: how many engines there are and should be, and why. `told`: way → how far."""

    current: int
    desired: int
    reason: str
    limit: str
    waiting: int
    unknown: int
    unready: int
    gone: int
    replicas: tuple[Replica, ...]
    told: dict[str, str] = {}


def look(
    wish: ScalingSpec, replicas: Sequence[Replica], memory: Memory, now: float
) -> tuple[ModelScale, Memory]:
    """Decide about one model; return it and what to remember. Pure."""
    made, looks = course.decide(wish, replicas, memory.looks, now)
    found = ModelScale(
        current=made.current,
        desired=made.desired,
        reason=reason.sentence(made, wish),
        limit=made.limit,
        waiting=made.asked.total,
        unknown=made.unknown,
        unready=made.unready,
        gone=made.gone,
        replicas=tuple(replicas),
    )
    return found, msgspec.structs.replace(memory, looks=looks)


class Teller:
    """Tells by several ways what is due; `machine` is the name of this one."""

    def __init__(self, ways: Sequence[Way], machine: str) -> None:
        self._ways, self._machine = tuple(ways), machine

    def tell(
        self, model: str, made: ModelScale, wish: ScalingSpec, memory: Memory, now: float
    ) -> tuple[ModelScale, Memory]:
        """Tell one decision; return it with how that went, and what to remember."""
        kept: dict[str, Told] = dict(memory.told)
        said: dict[str, str] = {}
        for way in self._ways:
            told = telling.answer(kept.pop(way.name, None), model, made.current, made.desired, now)
            if told is None:
                continue
            if wish.max is None:
                said[way.name] = UNLIMITED
                continue
            if telling.due(told, now):
                told = telling.after(told, way.tell(self._event(model, made, told.id, now)), now)
            kept[way.name] = told
            said[way.name] = telling.outcome(told)
        return (
            msgspec.structs.replace(made, told=said),
            msgspec.structs.replace(memory, told=kept),
        )

    def _event(self, model: str, made: ModelScale, name: str, now: float) -> Event:
        return Event(
            id=name,
            at=now,
            node=self._machine,
            model=model,
            current=made.current,
            desired=made.desired,
            reason=made.reason,
            hosts=by_use(made.replicas),
        )


def unfinished(models: Mapping[str, ModelScale]) -> bool:
    """Tell whether somebody should be told who was not, yet or at all."""
    return any(said != "told" for made in models.values() for said in made.told.values())
