"""The loop: look, judge, decide, save, publish, act. Neither a request nor a fault waits for it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from agent import comeback, publishing
from agent.audit import Audit
from agent.casebook import Casebook
from agent.converge import Converger
from agent.decide import decide
from agent.drift.view import DriftView
from agent.errors import ActionError, NotSavedError
from agent.memory import Memory
from agent.model import (
    Booted,
    Decision,
    EngineState,
    Event,
    Remedy,
    Requested,
    desired,
)
from agent.observe import alarm, observe, policy
from agent.picture import Picture
from agent.remedies import Remedies
from agent.snapshot import Published
from agent.spec import HostSpec
from agent.state import NodeState
from agent.telling import told
from agent.xid.fault import KernelFault

log = logging.getLogger("stoker.loop")

Pause = Callable[[float], Awaitable[object]]
SOONEST = 0.05  # seconds between the end of a tick and the next


class Loop:
    """Decides for the node. Everything it needs of the world is handed in."""

    def __init__(
        self,
        *,
        spec: HostSpec,
        about: publishing.About,
        memory: Memory,
        picture: Picture,
        casebook: Casebook,
        remedies: Remedies,
        converger: Converger,
        published: Published,
        audit: Audit,
        drift: Callable[[], DriftView] = DriftView,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._spec, self._about, self._memory, self._picture = spec, about, memory, picture
        self._casebook, self._remedies, self._converger = casebook, remedies, converger
        self._published, self._audit, self._clock, self._drift = published, audit, clock, drift
        self._policies = {name: policy(spec, e) for name, e in spec.engines.items()}
        self._advice: dict[str, Remedy] = {}
        self._wake = asyncio.Event()
        self._ticked, self._took = 0.0, 0.0  # end and cost of the last tick; 0 = none yet

    def begin(self) -> None:
        """Take up what was saved; start what a new boot, or a new engine, leaves to be started."""
        now = self._clock()
        new = EngineState(since=now, reason="New", message="the engine is new here")
        as_found = NodeState(boot=self._memory.boot, engines=dict.fromkeys(self._spec.engines, new))
        saved = self._memory.load(as_found, now)
        known = saved.engines
        self._memory.change(engines={name: known.get(name, new) for name in self._spec.engines})
        self._remedies.begin()
        self._picture.stand()  # what a latch keeps out of service is out from the first start on
        for name in sorted(known.keys() - self._spec.engines.keys()):
            log.info("engine=%s is not in the spec any more: it is stopped", name)
            self._audit.write("retired", engine=name)
            self._converger.retire(name)
        for name in (names := list(self._memory.state.engines)):
            if name == names[-1]:  # not before: what a crash cuts off is done again
                self._memory.change(boot=self._memory.boot)
            if name not in known or saved.boot != self._memory.boot:
                self._take(name, Booted())
            elif not desired(state := self._memory.state.engines[name]).gate_open:
                self._converger.gate(name, state)  # it is opened by a look, not by memory
        if not names:
            self._memory.change(boot=self._memory.boot)

    def request(self, name: str, asked: Requested) -> EngineState:
        """Carry out what somebody asked for, and return what it led to.

        Raises `ActionError` when it cannot be remembered, and so is not done; `NoSlotError` if it
        has to wait for the fleet brake.
        """
        if asked.slot:
            self._remedies.take_out(name, asked.verb)
        self._audit.write("request", engine=name, verb=asked.verb, by=asked.by, reason=asked.reason)
        if not self._take(name, asked):
            raise NotSavedError(f"not done: the state cannot be saved; engine {name} is as it was")
        self._memory.save()
        self._publish()
        return self._memory.state.engines[name]

    def acknowledge(self, incident: str, by: str, reason: str) -> None:
        """Close an incident by a person's word; `ActionError` when it is not open."""
        before = self._memory.state
        if not self._casebook.acknowledge(incident, by, reason):
            raise ActionError(f"no open incident {incident!r}; `stokerctl status` lists them")
        if not self._memory.save():
            self._memory.state = before
            raise NotSavedError("not done: the state cannot be saved; the incident stays open")
        self._audit.write("acknowledged", incident=incident, by=by, reason=reason)
        self.wake()

    def free(self, by: str, reason: str) -> None:
        """Give back the slot of the fleet brake, by a person's word."""
        self._remedies.free(by, reason)

    def told(self, faults: Sequence[KernelFault]) -> None:
        """Take in faults as they happen: traffic stops now, the rest waits for the next tick.

        Nothing is written before the gates have moved: a fault that is forgotten in a crash is
        read again from the kernel's log, or seen by the next poll of the driver.
        """
        if not self._casebook.told(faults):
            return
        self._picture.stand()
        for name in self._spec.engines:
            worst = self._picture.worst(name)
            if worst is not None and not self._converger.busy(name):
                self._take(name, alarm(worst))
        self._publish()
        self.wake()

    def wake(self) -> None:
        """Let the next tick come at once: something has changed."""
        self._wake.set()

    async def run(self, alive: Callable[[str], None], pause: Pause | None = None) -> None:
        """Tick for ever; `alive` is told a line of status after each tick.

        A tick that breaks is logged and costs that tick only. If every tick breaks, nobody hears
        that we are alive: `/livez` goes stale and systemd's watchdog starts the agent again.
        """
        while True:
            begun = time.monotonic()
            try:
                await self.tick()
                latest = self._published.latest
                alive(f"{latest.phase}: {latest.message}" if latest else "starting")
            except Exception:
                log.exception("this tick broke; the next one tries again")
            rest = max(SOONEST, self._spec.agent.tick - (time.monotonic() - begun))
            await (pause or self._pause)(rest)

    async def tick(self) -> None:
        """Look at everything once, and decide for each engine."""
        begun = time.monotonic()
        self._wake.clear()
        ended = {name: self._converger.ended(name) for name in self._spec.engines}
        await self._picture.look()
        running = {name: self._decide(name, ended[name]) for name in self._spec.engines}
        self._remedies.act(running, self._picture.serves)
        self._ticked, self._took = self._clock(), time.monotonic() - begun
        self._publish()
        self._memory.save()

    async def _pause(self, seconds: float) -> None:
        try:
            # Not `wait_for`: before Python 3.12 that loses a cancellation which comes with the
            # event, as engines end when the host shuts down (python/cpython issue 86296). The
            # agent would go on, and spend the budget on starts that systemd refuses.
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        await asyncio.sleep(SOONEST)

    def _decide(self, name: str, ended: int) -> bool | None:
        """Decide for one engine; return whether it is seen to run."""
        state, reading = self._memory.state.engines[name], self._picture.sources.engines[name]
        worst = self._picture.worst(name)
        # A look that an act or a request has overtaken tells of another time.
        overtaken = state.since > reading.at or ended != self._converger.ended(name)
        event = observe(
            state,
            reading.value,
            worst,
            busy=overtaken or self._converger.busy(name),
            halt=name in self._remedies.halting(),
            unsure=bool(state.gpus) and not self._picture.driver_answers,
        )
        self._take(name, event)
        self._converger.settle(name, self._memory.state.engines[name], running=event.running)
        return event.running

    def _take(self, name: str, event: Event) -> bool:
        """Decide and act; False when a start could not be remembered, and so was not done."""
        before = self._memory.state.engines[name]
        decision = decide(before, event, self._policies[name], self._clock())
        states = {**self._memory.state.engines, name: decision.state}
        back = comeback.expected(name, self._spec.engines, states, self._clock())
        self._converger.expect(name, back)
        self._converger.gate(name, decision.state)
        self._memory.put(name, decision.state)
        # Saved first: a start that was carried out but forgotten would escape the budget.
        if decision.start and not self._memory.save():
            self._memory.put(name, before)
            return False
        told(self._audit, name, before, decision)
        self._advise(name, decision)
        if decision.start:
            self._converger.start(name, haste=decision.haste)
        return True

    def _advise(self, name: str, decision: Decision) -> None:
        if decision.advice is not self._advice.get(name, Remedy.NONE):
            log.info("engine=%s advice=%s", name, decision.advice.name)
        self._advice[name] = decision.advice

    def _publish(self) -> None:
        if not self._ticked:
            return
        self._published.show(
            publishing.snapshot(
                self._spec,
                self._about,
                self._memory.state,
                self._picture,
                advice=self._advice,
                steps=self._remedies.steps,
                stuck=self._converger.stuck,
                drift=self._drift(),
                at=self._ticked,
                took=self._took,
                now=self._clock(),
            )
        )
