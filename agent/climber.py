"""Carries out one rung of the ladder at a time: slot first, then remembered, then done.

Tests: `tests/agent/fakes.py` has the fakes of `Rungs`, `Slot` and `Driver`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from agent.attempts import GOING_DOWN, Outcome
from agent.errors import ActionError, SourceError
from agent.fleetlock import Granted, Refused, Slot
from agent.ladder import Step
from agent.model import Remedy

log = logging.getLogger("stoker.climber")

ASK_AGAIN = 30.0  # seconds after a refusal
BUSY_AGAIN = 10.0  # seconds after all slots were taken


class Rungs(Protocol):
    """The two acts beyond an engine."""

    async def reset(self, subject: str) -> None:
        """Reset a GPU (`gpu:UUID`) or all of the fabric, and verify it; raise `ActionError`."""

    async def reboot(self) -> None:
        """Ask the host to reboot; raise `ActionError` when it refuses."""


class Driver(Protocol):
    """Our own hold on the driver, which would block a reset."""

    async def close(self) -> None:
        """Let go; raise `SourceError` when a call that never returns holds on."""

    def resume(self) -> None:
        """Look again."""


class Climber:
    """`begun` remembers that a step begins, and says whether that worked; `ended` how it ended.

    `granted`: the slot is ours, as far as we have heard since the agent was started.
    """

    def __init__(
        self,
        rungs: Rungs,
        slot: Slot,
        driver: Driver,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Future[None]] = asyncio.create_task,
        clock: Callable[[], float] = lambda: asyncio.get_running_loop().time(),
    ) -> None:
        self._rungs, self._slot, self._driver, self._sleep = rungs, slot, driver, sleep
        self._spawn, self._clock = spawn, clock
        self._act: asyncio.Future[None] | None = None
        self._may_hold = True  # a slot may be held, also since before the agent was started
        self._ask_at = self._release_at = 0.0  # not before
        self._told = ""
        self.granted = False

    @property
    def busy(self) -> bool:
        """Whether a step, or a call to the FleetLock server, is under way."""
        return self._act is not None and not self._act.done()

    def ask(self) -> None:
        """Ask for the slot, unless that was refused just now."""
        if not self.busy and self._clock() >= self._ask_at:
            self._act = self._spawn(self._ask())

    def begin(
        self, step: Step, begun: Callable[[], bool], ended: Callable[[Outcome, str], None]
    ) -> None:
        """Begin a step for which the slot was granted, unless one is under way."""
        if not self.busy:
            self._act = self._spawn(self._climb(step, begun, ended))

    def well(self) -> None:
        """Give the slot back: the node is well. Done once after each start and each grant."""
        late = self._clock() >= self._release_at
        if self._may_hold and late and not self.busy:
            self.granted = False  # from here on, not only once the call has begun
            self._act = self._spawn(self._release())

    async def settled(self) -> None:
        """Wait for what is under way."""
        if self._act is not None:
            await asyncio.gather(self._act, return_exceptions=True)

    async def _ask(self) -> None:
        self._may_hold = True  # a refusal that was not heard may be a slot that is held
        answer = await self._slot.acquire()
        self.granted = isinstance(answer, Granted)
        if not self.granted:
            self._tell(f"waiting for a slot: {answer.message}")
            wait = BUSY_AGAIN if isinstance(answer, Refused) and answer.busy else ASK_AGAIN
            self._ask_at = self._clock() + wait

    async def _climb(
        self, step: Step, begun: Callable[[], bool], ended: Callable[[Outcome, str], None]
    ) -> None:
        await self._ask()  # again, and last of all: an operator may have freed it meanwhile
        if not self.granted or not begun():
            return
        try:
            await (self._reset(step) if step.rung is Remedy.RESET else self._reboot())
        except (ActionError, SourceError) as error:
            log.error("%s of %s failed: %s", step.rung.value, step.subject, error)
            ended(Outcome.FAILED, str(error))
        else:
            ended(Outcome.DONE, "")

    async def _reset(self, step: Step) -> None:
        try:
            await self._driver.close()
            await self._rungs.reset(step.subject)
        finally:
            self._driver.resume()

    async def _reboot(self) -> None:
        await self._rungs.reboot()
        await self._sleep(GOING_DOWN)
        raise ActionError(f"the host did not go down within {GOING_DOWN:.0f} s")

    async def _release(self) -> None:
        problem = await self._slot.release()
        self._may_hold = problem is not None
        if problem is not None:
            if not problem.expected:
                self._tell(f"the slot is not given back yet: {problem.message}")
            self._release_at = self._clock() + ASK_AGAIN

    def _tell(self, line: str) -> None:
        """Log what lasts only once."""
        if line != self._told:
            self._told = line
            log.warning("%s", line)
