"""The ladder beyond a restart, on this node: what it waits for, and what it has begun."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from agent import attempts as begun
from agent import clearing, ladder, standstill
from agent.attempts import Attempt, Outcome
from agent.audit import Audit
from agent.braking import Braking
from agent.casebook import Casebook
from agent.climber import Climber
from agent.keeper import InState
from agent.ladder import BARRED, RUNGS, UNARMED, Rules, Step
from agent.memory import Memory
from agent.model import Condition, Phase, Remedy, Verb
from agent.spec import HostSpec

log = logging.getLogger("stoker.remedies")


class Remedies:
    """`steps` are the rungs that are due, with the reason why each one waits."""

    def __init__(
        self,
        spec: HostSpec,
        memory: Memory,
        casebook: Casebook,
        climber: Climber,
        audit: Audit,
        inhibit: Path,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._memory, self._casebook, self._climber = memory, casebook, climber
        self._audit, self._inhibit, self._clock = audit, inhibit, clock
        self._gpus = spec.driver.gpu_count
        self._rules = _rules(spec)
        self._due: tuple[Step, ...] = ()  # as the ladder alone sees them
        self._running: Mapping[str, bool | None] = {}
        self.steps: tuple[Step, ...] = ()
        self._braking = Braking(InState(memory), climber, clock)

    def begin(self) -> None:
        """Take up what was begun before the agent, or the host, was started again."""
        self._settle()

    def weigh(
        self, conditions: Sequence[Condition], moving: Collection[str] = ()
    ) -> tuple[Condition, ...]:
        """Work out the rungs that are due; return the conditions as the engines are to see them.

        `moving` are the engines that go on elsewhere, so that nothing has to be mended for them.
        """
        if not self._climber.busy:
            self._settle()
        state, now = self._memory.state, self._clock()
        attempts = tuple(begun.today(one, now) for one in state.attempts)
        attempts = ladder.judged(conditions, attempts, self._rules, self._gpus, now)
        self._learn(attempts)
        needed = standstill.needed(state.engines, moving)
        self._due = ladder.steps(conditions, attempts, self._rules, self._gpus, needed, now)
        self.steps = self._waiting()
        # They are drained from here on, even if it turns out that the rung need not begin.
        halting, engines = self.halting(), state.engines
        self._braking.stand(one for one in halting if engines[one].phase is Phase.SERVING)
        return clearing.escalated(conditions, self.steps, attempts)

    def halting(self) -> frozenset[str]:
        """Return the engines that a rung needs stopped."""
        engines = self._memory.state.engines
        due = (one for one in self.steps if one.rung in RUNGS and one.waits not in UNARMED)
        return frozenset().union(*(standstill.touched(one, engines) for one in due))

    def take_out(self, name: str, verb: Verb) -> None:
        """See `Braking`."""
        self._braking.take_out(name, self._memory.state.engines[name], verb)

    def free(self, by: str, reason: str) -> None:
        """Give the slot back by a person's word, whether the node serves or not."""
        self._audit.write("slot freed", by=by, reason=reason, slot=self._braking.free())

    def act(
        self, running: Mapping[str, bool | None], serves: Mapping[str, str] | None = None
    ) -> None:
        """Begin the first rung that may begin; say of the others why they wait.

        `serves`: see `brake.looked`.
        """
        self._running = running
        self.steps = self._waiting()
        rungs = [one for one in self.steps if one.rung in RUNGS and one.waits not in BARRED]
        if step := next((one for one in rungs if not one.waits), None):
            self._climber.begin(step, partial(self._begun, step), self._ended)
            return
        waits = any(one.waits == "NoSlot" for one in rungs)
        engines = self._memory.state.engines
        self._braking.turn(engines, serves or {}, due=bool(rungs), waits=waits)

    def _waiting(self) -> tuple[Step, ...]:
        """Return the rungs that are due, each with what it waits for now."""
        return ladder.ordered([replace(one, waits=self._waits(one)) for one in self._due])

    def _waits(self, step: Step) -> str:
        engines = self._memory.state.engines
        if step.rung not in RUNGS or step.waits:
            return step.waits
        if waits := standstill.person(step, engines):
            return waits
        if self._inhibit.exists():
            return "Inhibited"
        if not self._climber.granted:  # before any engine that works is drained for it
            return "NoSlot"
        return standstill.held(step, engines, self._running)

    def _begun(self, step: Step) -> bool:
        attempt = Attempt(
            rung=step.rung,
            subject=step.subject,
            reason=step.reason,
            began=self._clock(),
            boot=self._memory.boot,
        )
        before = self._memory.state
        self._memory.change(attempts=(*begun.recent(before.attempts, self._clock()), attempt))
        # Not one in quarantine: it is out already, and no rung brings it back.
        touched, engines = standstill.touched(step, before.engines), before.engines
        self._braking.stand(one for one in touched if engines[one].phase is not Phase.QUARANTINED)
        if not self._memory.save():  # what cannot be remembered is not done
            self._memory.state = before
            return False
        self._tell("rung begun", attempt)
        return True

    def _ended(self, outcome: Outcome, message: str) -> None:
        attempt = begun.running(self._memory.state.attempts)
        if attempt is None:
            return
        done = replace(attempt, ended=self._clock(), outcome=outcome, message=message)
        known = self._memory.state.attempts
        self._learn(done if one is attempt else one for one in known)
        if outcome is Outcome.DONE and attempt.rung is Remedy.RESET:
            self._casebook.was_reset(attempt.subject)
        self._memory.save()

    def _settle(self) -> None:
        """Close what nobody carries out any more."""
        boot, now = self._memory.boot, self._clock()
        self._learn(begun.closed(one, boot, now) for one in self._memory.state.attempts)

    def _learn(self, attempts: Iterable[Attempt]) -> None:
        """Take in what became of the attempts, one by one."""
        known = self._memory.state.attempts
        self._memory.change(attempts=tuple(attempts))
        for was, one in zip(known, self._memory.state.attempts, strict=True):
            if one.outcome is not was.outcome:
                self._tell("rung ended", one)

    def _tell(self, event: str, attempt: Attempt) -> None:
        log.warning("%s: %s of %s: %s", event, attempt.rung.value, attempt.subject, attempt.reason)
        self._audit.write(
            event,
            rung=attempt.rung.value,
            subject=attempt.subject,
            reason=attempt.reason,
            outcome=attempt.outcome,
            message=attempt.message,
        )


def _rules(spec: HostSpec) -> Rules:
    agent = spec.agent
    return Rules(
        act=agent.remediation == "act",
        arm_reset=agent.arm_reset,
        arm_reboot=agent.arm_reboot,
        resets_per_day=agent.resets_per_day,
        reboots_per_day=agent.reboots_per_day,
        reboots_per_week=agent.reboots_per_week,
        verify_window=agent.verify_window,
        acts_per_hour=agent.acts_per_hour,
        companions=agent.companion_window,
    )
