"""What the engines have counted, told on in neutral words.

The text is the one that the agent fetches anyway, to see how an engine gets on; it is read into
numbers only when Prometheus asks. The numbers are the engine's own, with its own buckets: they
fall when it starts anew, which Prometheus knows how to take.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from agent.engines.base import Engine
from agent.engines.figures import Duration, Figures

AGE = 30.0  # seconds that a text is told on while no newer one is to be had

COUNTERS = (
    ("prompt_tokens", "Tokens of the prompts that the engine has read."),
    ("cached_prompt_tokens", "Tokens of prompts that it had in its prefix cache."),
    ("generated_tokens", "Tokens that the engine has generated."),
    ("preemptions", "Times that a request lost its place in the KV cache to another."),
)
SECONDS: dict[Duration, str] = {
    "queue": "From a request's acceptance to its first step.",
    "first_token": "From a request's acceptance to its first token.",
    "token": "Mean time that a token of a request took (TGI: the prompt included).",
    "inter_token": "Between two tokens of a request.",
    "request": "From a request's acceptance to its last token.",
}


class EngineBooks(Collector):
    """Holds the latest text of each engine; a registry asks it for families."""

    def __init__(
        self, adapters: Mapping[str, Engine], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._adapters, self._clock = adapters, clock
        self._texts: dict[str, tuple[float, str]] = {}

    def take(self, engine: str, metrics: str | None) -> None:
        """Take in what an engine says of itself; None = it does not run."""
        if metrics is None:
            self._texts.pop(engine, None)
        else:
            self._texts[engine] = (self._clock(), metrics)

    def collect(self) -> Iterable[Metric]:
        """Return all families, those too that nobody tells.

        An engine whose text is not understood is absent, and hides no other.
        """
        since = self._clock() - AGE
        found: dict[str, Figures] = {}
        for name, (at, text) in self._texts.items():
            if at >= since:
                with suppress(ValueError, OverflowError):
                    found[name] = self._adapters[name].figures(text)
        yield _capacity(found)
        for field, text in COUNTERS:
            yield _counter(field, text, found)
        yield _requests(found)
        yield from _seconds(found)


def _capacity(found: Mapping[str, Figures]) -> Metric:
    family = GaugeMetricFamily(
        "stoker_engine_kv_capacity_tokens", "Tokens that the KV cache holds.", labels=["engine"]
    )
    for name, one in found.items():
        if one.kv_capacity_tokens is not None:
            family.add_metric([name], one.kv_capacity_tokens)
    return family


def _counter(field: str, text: str, found: Mapping[str, Figures]) -> Metric:
    family = CounterMetricFamily(f"stoker_engine_{field}", text, labels=["engine"])
    for name, one in found.items():
        value = getattr(one, field)
        if value is not None:
            family.add_metric([name], value)
    return family


def _requests(found: Mapping[str, Figures]) -> Metric:
    family = CounterMetricFamily(
        "stoker_engine_requests",
        "Requests that have ended, by how they did.",
        labels=["engine", "outcome"],
    )
    for name, one in found.items():
        for outcome, value in one.requests.items():
            family.add_metric([name, outcome], value)
    return family


def _seconds(found: Mapping[str, Figures]) -> Iterator[Metric]:
    for key, text in SECONDS.items():
        family = HistogramMetricFamily(f"stoker_engine_{key}_seconds", text, labels=["engine"])
        for name, one in found.items():
            if key in one.seconds:
                told = one.seconds[key]
                family.add_metric([name], list(told.buckets), told.sum)
        yield family
