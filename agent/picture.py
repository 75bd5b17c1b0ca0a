"""The node as it looks now: readings and told faults, put together to conditions."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from agent import checks, clearing, conditions, shrink
from agent.casebook import Casebook
from agent.checks import gpu_count
from agent.errors import ActionError, SpecError
from agent.facts import Facts, branch
from agent.memory import Memory
from agent.model import CheckResult, Condition
from agent.observe import answering, subjects
from agent.outs import Outs, Placement
from agent.planner.card import Card
from agent.remedies import Remedies
from agent.sources import STILL_LOOKING, Sources
from agent.sources.engine import EngineReading
from agent.sources.gpu import Gpu
from agent.spec import HostSpec, digest, weights_path

log = logging.getLogger("stoker.picture")


class Picture:
    """`standing` are the conditions, `results` the latest findings, `looks` the latest readings."""

    def __init__(
        self,
        spec: HostSpec,
        memory: Memory,
        sources: Sources,
        casebook: Casebook,
        remedies: Remedies,
        outs: Outs,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._spec, self._memory, self._clock = spec, memory, clock
        self.sources, self._casebook = sources, casebook
        self._remedies, self._outs = remedies, outs
        self._streaks: conditions.Streaks = {}
        # Only of those that need it: the headers of a large model are many.
        self._models = {
            name: shrink.read(Path(weights_path(spec.model, engine)))
            for name, engine in spec.engines.items()
            if engine.shrink
        }
        self._digests = {name: digest(engine) for name, engine in spec.engines.items()}
        self._widths: dict[tuple[str, int, Card | None], int] = {}
        self.results: list[CheckResult] = []
        self.standing: tuple[Condition, ...] = ()
        self.looks: dict[str, EngineReading] = {}

    async def look(self) -> None:
        """Look at everything once, judge it, and judge the faults that have waited long enough."""
        await self.sources.refresh()
        self._learn()
        self.sources.missed = gpu_count.missed(self._memory.state.engines)
        self.results = await checks.run(self.sources, self._spec)
        agent, now = self._spec.agent, self._clock()
        self._streaks = conditions.update(
            self._streaks, self.results, agent.failures, agent.successes, now
        )
        self._casebook.judge()
        self.stand()

    def stand(self) -> None:
        """Put together anew what stands, with what is known now."""
        found = (*conditions.opened(self._streaks), *self._casebook.conditions())
        self.standing = self._remedies.weigh(found, self._moving(found))
        engines = self._memory.state.engines.items()
        held = {name: state.gpus for name, state in engines if state.gpus}
        out = shrink.out_of_service(self.standing)
        try:
            self._outs.write(Placement(out=out, held=held))
        except ActionError as error:
            log.error("%s", error)

    @property
    def serves(self) -> dict[str, str]:
        """The models of the engines that run with the settings of the spec."""
        started = {name: look.started for name, look in self.looks.items() if look.started}
        return {
            name: self._spec.engines[name].model
            for name, run in started.items()
            if run.digest == self._digests[name]
        }

    @property
    def driver_answers(self) -> bool:
        """Whether the driver told of its GPUs in this round."""
        nvml = self.sources.nvml.value
        return nvml is not None and nvml.error is None

    def worst(self, name: str) -> Condition | None:
        """Return the worst fault of an engine, as it is to see it: other GPUs may be free."""
        return self._seen(name, self.standing)

    def _moving(self, found: Sequence[Condition]) -> frozenset[str]:
        """Return the engines that go on without the GPU that has failed them."""
        engines = self._memory.state.engines
        worst = {name: conditions.worst(found, subjects(name, engines[name])) for name in engines}
        return frozenset(name for name in engines if self._seen(name, found) != worst[name])

    def _seen(self, name: str, found: Sequence[Condition]) -> Condition | None:
        engines, wanted = self._memory.state.engines, self._spec.engines[name]
        mine = subjects(name, engines[name])
        worst = conditions.worst(found, mine)
        making_way = any(one.check == clearing.CHECK and one.subject in mine for one in found)
        if worst is None or making_way or not worst.subject.startswith("gpu:"):
            return worst
        others = (one.gpus for other, one in engines.items() if other != name)
        taken = shrink.out_of_service(found).union(*others)
        whole = [gpu for gpu in self._casebook.facts.gpus if not (gpu.error or gpu.mig)]
        free = [gpu for gpu in whole if gpu.uuid not in taken]
        return shrink.elsewhere(worst, self._width(name, free), wanted.gpus)

    def _width(self, name: str, free: Sequence[Gpu]) -> int:
        """Return on how many of the `free` GPUs the engine can serve; reckoned once, as it lasts.

        While a fault stands it is asked several times a tick.
        """
        card = shrink.smallest((gpu.name, gpu.memory_total, gpu.capability) for gpu in free)
        case = (name, len(free), card)
        if case not in self._widths:
            self._widths[case] = 0  # also should the planner break: not again with each tick
            try:
                model, engine = self._models.get(name), self._spec.engines[name]
                self._widths[case] = shrink.width(model, engine, len(free), card)
            except SpecError as error:
                log.error("engine=%s cannot shrink: %s", name, error)
        return self._widths[case]

    def _learn(self) -> None:
        """Put this round's readings into what is known of GPUs, engines and their processes."""
        for name, reading in self.sources.engines.items():
            if reading.value is not None:
                self.looks[name] = reading.value
                self._remember(name, reading.value)
            elif reading.problem != STILL_LOOKING:
                self.looks.pop(name, None)
        nvml, host, pids = self.sources.nvml.value, self.sources.host.value, self.sources.pids
        before = self._casebook.facts
        answers = {name: answering(look) for name, look in self.looks.items()}
        self._casebook.learn(
            Facts(
                gpus=nvml.gpus if nvml and nvml.gpus else before.gpus,
                branch=branch(nvml.driver) if nvml and nvml.driver else before.branch,
                nvswitch=bool(host.nvswitches) if host else before.nvswitch,
                pids={**before.pids, **(pids.value or {})},
                answering={name: known for name, known in answers.items() if known is not None},
                gone=frozenset(name for name, look in self.looks.items() if not look.running),
            )
        )

    def _remember(self, name: str, look: EngineReading) -> None:
        state = self._memory.state.engines[name]
        if look.started and look.started.gpus != state.gpus:
            state = msgspec.structs.replace(state, gpus=look.started.gpus)
            self._memory.put(name, state)
        if look.running and answering(look):
            self._casebook.prove(state)
