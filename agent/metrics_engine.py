"""The snapshot's engines in Prometheus' words. What is not known is not a number."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from agent.model import Phase
from agent.snapshot import EngineView

Engines = Mapping[str, EngineView]
Read = Callable[[EngineView], float | None]

GAUGES: tuple[tuple[str, str, Read], ...] = (
    (
        "stoker_engine_phase_changed_timestamp_seconds",
        "When the engine entered its phase.",
        lambda e: e.state.since,
    ),
    (
        "stoker_engine_start_timestamp_seconds",
        "When the engine was last started.",
        lambda e: e.state.last_start,
    ),
    (
        "stoker_engine_requests_running",
        "Requests the engine works on.",
        lambda e: e.requests_running,
    ),
    (
        "stoker_engine_requests_running_max",
        "Requests that the engine works on at once at most.",
        lambda e: e.requests_running_max,
    ),
    (
        "stoker_engine_requests_waiting",
        "Requests waiting inside the engine.",
        lambda e: e.requests_waiting,
    ),
    (
        "stoker_engine_replicas_wanted",
        "Replicas that the requests waiting in the engine ask for; to be summed up by model.",
        lambda e: e.replicas_wanted,
    ),
    ("stoker_engine_kv_use_ratio", "Share of the KV cache in use.", lambda e: e.kv_use_ratio),
    (
        "stoker_engine_restarts_left",
        "Restarts by the agent that its budget still allows.",
        lambda e: e.restarts_left,
    ),
    (
        "stoker_engine_restarts_max",
        "Restarts by the agent that its budget allows within its window.",
        lambda e: e.restarts_max,
    ),
    (
        "stoker_engine_advice",
        "Remedy the agent would take if it might act (0 none).",
        lambda e: e.advice.rank,
    ),
    (
        "stoker_engine_capacity_ratio",
        "Share of its full work that the engine can do now.",
        lambda e: e.capacity,
    ),
)


def families(engines: Engines) -> Iterator[Metric]:
    """Return the metrics of all engines."""
    yield _info(engines)
    yield _phases(engines)
    yield _gpus(engines)
    for name, text, read in GAUGES:
        family = GaugeMetricFamily(name, text, labels=["engine"])
        for engine, view in engines.items():
            value = read(view)
            if value is not None:
                family.add_metric([engine], value)
        yield family


def _info(engines: Engines) -> Metric:
    family = GaugeMetricFamily(
        "stoker_engine_info",
        "The engine: its program, and the model name that clients send.",
        labels=["engine", "kind", "model"],
    )
    for name, view in engines.items():
        family.add_metric([name, view.kind, view.served_name], 1)
    return family


def _phases(engines: Engines) -> Metric:
    family = GaugeMetricFamily(
        "stoker_engine_phase", "1 for the phase the engine is in.", labels=["engine", "phase"]
    )
    for name, view in engines.items():
        for phase in Phase:
            family.add_metric([name, phase], float(view.state.phase is phase))
    return family


def _gpus(engines: Engines) -> Metric:
    family = GaugeMetricFamily(
        "stoker_engine_gpu_info", "The GPUs that the engine runs on.", labels=["engine", "uuid"]
    )
    for name, view in engines.items():
        for uuid in view.gpus:
            family.add_metric([name, uuid], 1)
    return family
