"""The snapshot in Prometheus' exposition format.

Gauges are computed from the snapshot at each scrape, so each returns to 0 by itself when its
cause has gone. Counters are those of `agent.counters`. Labels are bounded: engines, models, phases,
GPUs, checks and reasons of this node.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client import exposition as prometheus
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from agent import metrics_engine, metrics_gpu
from agent.counters import Counters
from agent.drift.report import Kind
from agent.ladder import RUNGS
from agent.model import Remedy
from agent.snapshot import Snapshot
from agent.waits import WAITS

CONTENT_TYPE = prometheus.CONTENT_TYPE_LATEST


UNDECIDED = "undecided"  # of an incident whose company is still awaited


def exposition(snapshot: Snapshot | None, counters: Counters) -> bytes:
    """Return what `/metrics` answers; until the first tick has ended, the counters alone."""
    registry = CollectorRegistry(auto_describe=False)
    if snapshot is not None:
        registry.register(_Fixed(_families(snapshot)))
    return prometheus.generate_latest(registry) + prometheus.generate_latest(counters.registry)


class _Fixed(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(snapshot: Snapshot) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "stoker_agent_info", "The agent itself.", labels=["version", "remediation"]
    )
    info.add_metric([snapshot.version, snapshot.remediation], 1)
    yield info
    yield _gauge("stoker_last_tick_timestamp_seconds", "When the last tick ended.", snapshot.at)
    yield _gauge("stoker_tick_seconds", "How long the last tick took.", snapshot.tick_seconds)
    yield from metrics_engine.families(snapshot.engines)
    yield from metrics_gpu.families(snapshot)
    yield from _certificate(snapshot)
    yield from _drift(snapshot)
    if snapshot.engines:  # else it has no gateway
        yield _gateway_deaf(snapshot)
    yield _conditions(snapshot)
    yield _unknown(snapshot)
    yield _incidents(snapshot)
    yield _waiting(snapshot)


def _drift(snapshot: Snapshot) -> Iterator[Metric]:
    drift = snapshot.drift
    if drift.checked is None:
        return
    text = "When the node was last compared with its release."
    yield _gauge("stoker_drift_checked_timestamp_seconds", text, drift.checked)
    text = "1 if that check could not tell whether the node drifted."
    yield _gauge("stoker_drift_check_failed", text, float(bool(drift.problem)))
    text = "Things that the last check put right."
    yield _gauge("stoker_drift_corrected", text, drift.corrected)
    left = GaugeMetricFamily(
        "stoker_drift_left", "Things that the last check left as they are.", labels=["kind"]
    )
    for kind in Kind:
        left.add_metric([kind], sum(one.kind is kind for one in drift.left))
    yield left


def _certificate(snapshot: Snapshot) -> Iterator[Metric]:
    expires = snapshot.gateway.certificate_expires
    if expires is not None:
        text = "Until the certificate of the gateway expires; less than 0 once it has."
        yield _gauge("stoker_certificate_expiry_seconds", text, expires - snapshot.at)


def _gateway_deaf(snapshot: Snapshot) -> Metric:
    text = "1 while nobody tells the agent what the gateway does."
    return _gauge("stoker_gateway_deaf", text, float(bool(snapshot.gateway.deaf)))


def _conditions(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "stoker_condition",
        "1 while a check's finding stands.",
        labels=["check", "subject", "reason"],
    )
    for condition in snapshot.conditions:
        family.add_metric([condition.check, condition.subject, condition.reason], 1)
    return family


def _unknown(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "stoker_check_unknown", "1 while a check cannot tell.", labels=["check"]
    )
    for check in snapshot.checks_unknown:
        family.add_metric([check], 1)
    return family


def _incidents(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "stoker_incidents_open", "Open incidents by the remedy they need.", labels=["remedy"]
    )
    found = [one.verdict.remedy.value if one.verdict else UNDECIDED for one in snapshot.incidents]
    for remedy in (UNDECIDED, *(one.value for one in Remedy)):
        family.add_metric([remedy], found.count(remedy))
    return family


def _waiting(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "stoker_rung_waiting",
        "Rungs of the ladder that are due and wait, by the reason why.",
        labels=["rung", "reason"],
    )
    found = [(step.rung, step.waits) for step in snapshot.steps]
    for rung in RUNGS:
        for reason in WAITS:
            family.add_metric([rung.value, reason], found.count((rung, reason)))
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
