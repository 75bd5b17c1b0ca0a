"""The loop: look, judge, decide, save, publish, act. A request does not wait for the next tick."""

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec

from agent import checks, conditions
from agent.audit import Audit
from agent.converge import Converger
from agent.decide import decide, restarts_left
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

    def begin(self) -> None:
        """Take up what was saved; start what a new boot, or a new engine, leaves to be started."""
        try:
            saved = self._store.load()
            rebooted = saved is None or saved.boot != self._boot
        except SourceError as error:  # then what runs is taken as it is found
            log.error("%s", error)
            saved, rebooted = None, False
        known = saved.engines if saved else {}
        new = EngineState(since=self._clock(), reason="New", message="the engine is new here")
        engines = {name: known.get(name, new) for name in self._spec.engines}
        self._state = NodeState(boot=self._boot, engines=engines)
        for name, state in engines.items():
            self._converger.gate(name, state.phase)
            if rebooted or name not in known:
                self._take(name, Booted())

    def request(self, name: str, asked: Requested) -> EngineState:
        """Carry out what somebody asked for, and return what it led to."""
        self._audit.write("request", engine=name, verb=asked.verb, by=asked.by, reason=asked.reason)
        self._take(name, asked)
        self._publish(0.0)
        return self._state.engines[name]

    async def run(self, alive: Callable[[str], None]) -> None:
        """Tick for ever; `alive` is told a line of status after each tick."""
        while True:
            begun = time.monotonic()
            await self.tick()
            latest = self._published.latest
            alive(f"{latest.phase}: {latest.message}" if latest else "starting")
            await asyncio.sleep(max(0.05, self._spec.agent.tick - (time.monotonic() - begun)))

    async def tick(self) -> None:
        """Look at everything once, and decide for each engine."""
        begun = time.monotonic()
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
            look = self._sources.engines[name].value
            worst = conditions.worst(conditions.opened(self._streaks), subjects(name, look))
            busy = self._converger.busy(name)
            event = observe(self._state.engines[name], look, worst, busy=busy)
            self._take(name, event)
            phase = self._state.engines[name].phase
            self._converger.settle(name, phase, running=event.running)
        self._publish(time.monotonic() - begun)

    def _take(self, name: str, event: Event) -> None:
        before = self._state.engines[name]
        decision = decide(before, event, self._policies[name], self._clock())
        if decision.state != before or decision.start:
            # Saved first: a start that was carried out but forgotten would escape the budget.
            if not self._save(name, decision):
                return
            self._tell(name, before, decision)
        self._advise(name, decision)
        self._converger.gate(name, decision.state.phase)
        if decision.start:
            self._converger.start(name)

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

    def _publish(self, took: float) -> None:
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
            at=self._clock(),
            tick_seconds=took,
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
