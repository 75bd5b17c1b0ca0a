"""What has happened since this process began, for Prometheus: counters only ever grow.

Fed by the news. What stood at the first snapshot happened before, and is not counted.
"""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from agent.facts import buses
from agent.ladder import RUNGS, Outcome
from agent.model import Phase, Remedy
from agent.news import News, NewsKind
from agent.observe import subjects
from agent.snapshot import EngineView, Snapshot
from agent.xid import standing
from agent.xid.catalogue import catalogue
from agent.xid.fault import Kind

REASONS = 64  # different reasons of restarts; what comes after counts as OTHER
OTHER = "Other"
DETECT = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # seconds
DRAIN = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)  # seconds
REQUESTS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)

# They would be a second series for each of ours, that nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Counters:
    """Counts into a registry of its own, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=False)
        self._xids = Counter(
            "stoker_xid", "Faults by Xid, each once.", ["uuid", "xid"], registry=registry
        )
        self._restarts = Counter(
            "stoker_restarts",
            "Starts of an engine since the agent began, by reason.",
            ["engine", "reason"],
            registry=registry,
        )
        self._remedies = Counter(
            "stoker_remedy",
            "Remedies by the agent that came to an end.",
            ["rung", "result"],
            registry=registry,
        )
        self._gaps = Counter(
            "stoker_source_gap",
            "Times that a source lost records before they were read.",
            ["source"],
            registry=registry,
        )
        self._detect = Histogram(
            "stoker_detect_seconds",
            "From the first sign of a GPU's fault to the decision that stops traffic.",
            buckets=DETECT,
            registry=registry,
        )
        self._drain = Histogram(
            "stoker_drain_seconds",
            "How long drains lasted.",
            ["engine"],
            buckets=DRAIN,
            registry=registry,
        )
        self._flight = Histogram(
            "stoker_inflight_at_drain",
            "Requests in flight when traffic was stopped.",
            ["engine"],
            buckets=REQUESTS,
            registry=registry,
        )
        for rung in (Remedy.RESTART, *RUNGS):
            for result in (Outcome.DONE, Outcome.FAILED):
                self._remedies.labels(rung.value, result)
        self._gaps.labels("kernel")
        self._lost = 0
        self._reasons: set[str] = set()
        self._cures: set[str] = set()  # engines that the agent restarted, and that load
        self._buses: dict[str, str] = {}

    def take(self, told: Iterable[News], before: Snapshot | None, after: Snapshot) -> None:
        """Count what has happened between two snapshots."""
        if after.gpus is not None:
            self._buses = buses(after.gpus.gpus, self._buses)
        self._gaps.labels("kernel").inc(max(0, after.log_gaps - self._lost))
        self._lost = max(self._lost, after.log_gaps)
        if before is None:
            return
        for one in told:
            match one.kind:
                case NewsKind.PHASE:
                    self._phase(str(one.facts["engine"]), before, after)
                case NewsKind.STARTED:
                    self._started(str(one.facts["engine"]), after)
                case NewsKind.INCIDENT_OPENED if one.facts["of"] == Kind.XID:
                    self._fault(str(one.facts["gpu"]), one.facts["xid"])
                case NewsKind.RUNG_ENDED:
                    self._remedies.labels(one.facts["rung"], one.facts["outcome"]).inc()

    def _phase(self, name: str, before: Snapshot, after: Snapshot) -> None:
        known, engine = before.engines.get(name), after.engines[name]
        if known is None:
            return
        was, state = known.state, engine.state
        if was.phase is Phase.SERVING:
            if known.in_flight is not None:
                self._flight.labels(name).observe(known.in_flight)
            if (since := _sign(name, engine, after)) is not None:
                self._detect.observe(max(0.0, state.since - since))
        if was.phase is Phase.DRAINING:
            self._drain.labels(name).observe(max(0.0, state.since - was.since))
        if name in self._cures and state.phase in {Phase.SERVING, Phase.QUARANTINED}:
            self._cured(name, Outcome.DONE if state.phase is Phase.SERVING else Outcome.FAILED)

    def _started(self, name: str, after: Snapshot) -> None:
        state = after.engines[name].state
        if name in self._cures:
            self._cured(name, Outcome.FAILED)
        if state.last_start in state.starts:
            self._cures.add(name)
        known = state.reason in self._reasons or len(self._reasons) < REASONS
        reason = state.reason if known else OTHER
        self._reasons.add(reason)
        self._restarts.labels(name, reason).inc()

    def _cured(self, name: str, result: Outcome) -> None:
        self._cures.discard(name)
        self._remedies.labels(Remedy.RESTART.value, result).inc()

    def _fault(self, gpu: str, xid: object) -> None:
        number = str(xid) if xid in catalogue() else OTHER
        self._xids.labels(self._buses.get(gpu, "unknown"), number).inc()


def _sign(name: str, engine: EngineView, after: Snapshot) -> float | None:
    """Return when the fault was first told for which traffic was stopped."""
    state, about = engine.state, subjects(name, engine.state)
    signs = (
        one.since
        for one in after.conditions
        if one.check == standing.CHECK and one.reason == state.reason and one.subject in about
    )
    return min(signs, default=None)
