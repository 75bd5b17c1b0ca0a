"""Requests to the simulated server, and the coroutines under test that await them."""

from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

from agent.fleetlock import SLOTS_TAKEN, Granted, Refused

if TYPE_CHECKING:
    from tests.agent.brake.node import Node

DEADLINE = 10.0  # seconds by the client's clock, as `fleetlock.FleetLock` has it

Answer = Granted | Refused | None
GRANTED = Granted("")
TAKEN = Refused(reason=SLOTS_TAKEN, message="taken")
BROKEN = Refused(reason="LockBroken", message="broken")
LATE = Refused(reason="LockLate", message="late")


class Call:
    """One request of a node; awaited, it is the server's answer."""

    __slots__ = ("group", "name", "node", "verb")

    def __init__(self, node: "Node", verb: str, group: str, name: str) -> None:
        self.node, self.verb, self.group, self.name = node, verb, group, name

    def __await__(self) -> Generator["Call", Answer, Any]:
        return (yield self)


class Line:
    """See `fleetlock.Slot`: what stands in for `FleetLock`."""

    __slots__ = ("_ask",)

    def __init__(self, node: "Node", group: str, name: str) -> None:
        self._ask = (node, group, name)

    async def acquire(self) -> Granted | Refused:
        node, group, name = self._ask
        found: Granted | Refused = await Call(node, "acquire", group, name)
        return found

    async def release(self) -> Refused | None:
        node, group, name = self._ask
        found: Refused | None = await Call(node, "release", group, name)
        return found


class Job:
    """A coroutine of one life of an agent, driven by hand; ends with that life."""

    __slots__ = ("_coroutine", "_ended", "_life", "_node", "_waits")

    def __init__(
        self, node: "Node", coroutine: Coroutine[Any, Any, None], ended: Callable[[], None]
    ) -> None:
        self._node, self._coroutine, self._ended = node, coroutine, ended
        self._life, self._waits = node.life, 0
        node.world.at(node.world.dice.uniform(0.0, 0.02), self._go, None)

    def done(self) -> bool:
        """See `asyncio.Future`."""
        return self._waits < 0

    def _go(self, answer: Answer) -> None:
        if self._life != self._node.life:
            self._coroutine.close()
            return
        try:
            call = self._coroutine.send(answer)
        except StopIteration:
            self._waits = -1
            self._ended()
            return
        self._waits += 1
        if call is not None:  # else it pauses for ever
            self._node.world.call(call, self._told(self._waits))
            self._node.world.at(DEADLINE / self._node.rate, self._told(self._waits), LATE)

    def _told(self, number: int) -> Callable[[Answer], None]:
        """Return who hears an answer, in time or not at all."""

        def told(answer: Answer) -> None:
            if self._waits == number:
                self._go(answer)

        return told


class Pause:
    """Awaited, it never ends."""

    def __await__(self) -> Generator[None, None, None]:
        yield None
