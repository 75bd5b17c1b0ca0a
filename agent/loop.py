"""The loop: look, judge, decide, save, publish, act. A request does not wait for the next tick."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import msgspec

from agent import checks, conditions
from agent.audit import Audit
from agent.budget import restarts_left
from agent.converge import Converger
from agent.decide import decide
from agent.errors import ActionError, SourceError
from agent.model import (
    Booted,
    CheckResult,
    Decision,
    EngineState,
    Event,
    NodeState,
    Remedy,
    Requested,
    Status,
    node_phase,
)
from agent.observe import observe, policy, subjects
from agent.snapshot import EngineView, Published, Snapshot, view
from agent.sources import Sources
from agent.spec import HostSpec
from agent.store import Store

log = logging.getLogger("stoker.loop")

Pause = Callable[[float], Awaitable[object]]


class Loop:
    """Owns the state of the node. Everything it needs of the world is handed in."""

    def __init__(
        self,
        *,
        spec: HostSpec,
        spec_digest: str,
        version: str,
        boot: str,
        sources: Sources,
        store: Store,
        converger: Converger,
        published: Published,
        audit: Audit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._spec, self._digest, self._version = spec, spec_digest, version
        self._sources, self._store, self._converger = sources, store, converger
        self._published, self._audit, self._clock = published, audit, clock
        self._boot = boot
        self._policies = {name: policy(spec, e) for name, e in spec.engines.items()}
        self._streaks: conditions.Streaks = {}
        self._results: list[CheckResult] = []
        self._advice: dict[str, Remedy] = {}
        self._state = NodeState(boot=boot, engines={})
        self._ticked, self._took = 0.0, 0.0  # end and cost of the last tick; 0 = none yet

    def begin(self) -> None:
        """Take up what was saved; start what a new boot, or a new engine, leaves to be started."""
        new = EngineState(since=self._clock(), reason="New", message="the engine is new here")
        try:
            saved = self._store.load() or NodeState(boot="", engines={})
        except SourceError as error:  # then what runs is taken as it is found
            log.error("%s", error)
            saved = NodeState(boot=self._boot, engines=dict.fromkeys(self._spec.engines, new))
        known = saved.engines
        engines = {name: known.get(name, new) for name in self._spec.engines}
        self._state = NodeState(boot=self._boot, engines=engines)
        for name in sorted(known.keys() - engines.keys()):
            log.info("engine=%s is not in the spec any more: it is stopped", name)
            self._audit.write("retired", engine=name)
            self._converger.retire(name)
        for name, state in engines.items():
            if name not in known or saved.boot != self._boot:
                self._take(name, Booted())
            else:
                self._converger.gate(name, state.phase)

    def request(self, name: str, asked: Requested) -> EngineState:
        """Carry out what somebody asked for, and return what it led to.

        Raises `ActionError` when it cannot be remembered, and so is not done.
        """
        self._audit.write("request", engine=name, verb=asked.verb, by=asked.by, reason=asked.reason)
        if not self._take(name, asked):
            raise ActionError(f"not done: the state cannot be saved; engine {name} is as it was")
        if self._ticked:
            self._publish()
        return self._state.engines[name]

    async def run(self, alive: Callable[[str], None], pause: Pause = asyncio.sleep) -> None:
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
            await pause(max(0.05, self._spec.agent.tick - (time.monotonic() - begun)))

    async def tick(self) -> None:
        """Look at everything once, and decide for each engine."""
        begun, looked = time.monotonic(), self._clock()
        ended = {name: self._converger.ended(name) for name in self._spec.engines}
        await self._sources.refresh()
        self._results = await checks.run(self._sources, self._spec)
        self._streaks = conditions.update(
            self._streaks,
            self._results,
            self._spec.agent.failures,
            self._spec.agent.successes,
            self._clock(),
        )
        for name in self._spec.engines:
            state, look = self._state.engines[name], self._sources.engines[name].value
            worst = conditions.worst(conditions.opened(self._streaks), subjects(name, look))
            # A look that an act or a request has overtaken tells of another time.
            overtaken = state.since > looked or ended[name] != self._converger.ended(name)
            event = observe(state, look, worst, busy=overtaken or self._converger.busy(name))
            self._take(name, event)
            phase = self._state.engines[name].phase
            self._converger.settle(name, phase, running=event.running)
        self._ticked, self._took = self._clock(), time.monotonic() - begun
        self._publish()

    def _take(self, name: str, event: Event) -> bool:
        """Decide and act; False when a start could not be remembered, and so was not done."""
        before = self._state.engines[name]
        decision = decide(before, event, self._policies[name], self._clock())
        self._converger.gate(name, decision.state.phase)
        if decision.state != before or decision.start:
            # Saved first: a start that was carried out but forgotten would escape the budget.
            if not self._save(name, decision):
                return False
            self._tell(name, before, decision)
        self._advise(name, decision)
        if decision.start:
            self._converger.start(name)
        return True

    def _save(self, name: str, decision: Decision) -> bool:
        state = msgspec.structs.replace(
            self._state, engines={**self._state.engines, name: decision.state}
        )
        try:
            self._store.save(state)
        except ActionError as error:
            log.error("%s", error)
            if decision.start:
                return False  # what cannot be remembered is not done
        self._state = state
        return True

    def _tell(self, name: str, before: EngineState, decision: Decision) -> None:
        after = decision.state
        if before.phase is after.phase and before.reason == after.reason and not decision.start:
            return
        log.info(
            "engine=%s phase=%s from=%s reason=%s by=%s start=%s: %s",
            name,
            after.phase,
            before.phase,
            after.reason,
            after.by,
            decision.start,
            after.message,
        )
        self._audit.write(
            "decision",
            engine=name,
            phase=after.phase,
            reason=after.reason,
            by=after.by,
            start=decision.start,
            message=after.message,
        )

    def _advise(self, name: str, decision: Decision) -> None:
        if decision.advice is not self._advice.get(name, Remedy.NONE):
            log.info("engine=%s advice=%s", name, decision.advice.name)
        self._advice[name] = decision.advice

    def _publish(self) -> None:
        phase, name = node_phase(self._state.engines)
        shown = self._state.engines[name]
        nvml = self._sources.nvml
        self._published.latest = Snapshot(
            node=self._spec.name,
            phase=phase,
            reason=shown.reason,
            message=f"engine {name}: {shown.message}",
            remediation=self._spec.agent.remediation,
            engines={name: self._view(name) for name in self._spec.engines},
            gpus=nvml.value,
            gpus_problem=nvml.problem,
            conditions=conditions.opened(self._streaks),
            checks_unknown=tuple(
                sorted({r.check for r in self._results if r.status is Status.UNKNOWN})
            ),
            version=self._version,
            digest=self._digest,
            at=self._ticked,
            tick_seconds=self._took,
        )

    def _view(self, name: str) -> EngineView:
        state = self._state.engines[name]
        reading = self._sources.engines.get(name)
        return view(
            self._spec.engines[name],
            state,
            reading.value if reading else None,
            left=restarts_left(state, self._policies[name], self._clock()),
            advice=self._advice.get(name, Remedy.NONE),
        )
