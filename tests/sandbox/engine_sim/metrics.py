"""Prometheus metrics that, like the real recorder's, exist only from their first use on."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

Labels = tuple[tuple[str, str], ...]

_QUANTILES = ("0", "0.5", "0.9", "0.95", "0.99", "0.999", "1")


@dataclass
class _Distribution:
    bounds: Sequence[float]
    counts: list[int]
    total: float = 0.0
    values: int = 0
    last: float = 0.0

    def record(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value
        self.values += 1
        self.last = value


@dataclass
class Metrics:
    """All metrics of one router; ``bounds`` maps a histogram's name to its buckets."""

    bounds: Mapping[str, Sequence[float]]
    """A histogram that is not named here is exported as a summary."""
    _counters: dict[tuple[str, Labels], int] = field(default_factory=dict)
    _gauges: dict[str, float] = field(default_factory=dict)
    _distributions: dict[tuple[str, Labels], _Distribution] = field(default_factory=dict)

    def count(self, name: str, **labels: str) -> None:
        """Add one to a counter."""
        key = (name, tuple(labels.items()))
        self._counters[key] = self._counters.get(key, 0) + 1

    def gauge(self, name: str, value: float) -> None:
        """Set a gauge."""
        self._gauges[name] = value

    def gauge_up(self, name: str) -> None:
        """Add one to a gauge."""
        self._gauges[name] = self._gauges.get(name, 0) + 1

    def record(self, name: str, value: float, **labels: str) -> None:
        """Record a value in a histogram; durations in seconds."""
        key = (name, tuple(labels.items()))
        if key not in self._distributions:
            bounds = self.bounds.get(name, ())
            self._distributions[key] = _Distribution(bounds, [0] * (len(bounds) + 1))
        self._distributions[key].record(value)

    def exposition(self) -> str:
        """All metrics in Prometheus' text format."""
        lines: list[str] = []
        for name in dict.fromkeys(name for name, _ in self._counters):
            lines.append(f"# TYPE {name} counter")
            lines += [
                f"{name}{_braces(labels)} {value}"
                for (other, labels), value in self._counters.items()
                if other == name
            ]
            lines.append("")
        for name, gauge in self._gauges.items():
            lines += [f"# TYPE {name} gauge", f"{name} {_number(gauge)}", ""]
        for name in dict.fromkeys(name for name, _ in self._distributions):
            kind = "histogram" if name in self.bounds else "summary"
            lines.append(f"# TYPE {name} {kind}")
            for (other, labels), distribution in self._distributions.items():
                if other == name:
                    lines += _samples(name, labels, distribution)
            lines.append("")
        return "\n".join(lines) + "\n"


def _samples(name: str, labels: Labels, found: _Distribution) -> list[str]:
    if found.bounds:
        bounds = [_number(bound) for bound in found.bounds] + ["+Inf"]
        lines = [
            f"{name}_bucket{_braces((*labels, ('le', bound)))} {count}"
            for bound, count in zip(bounds, accumulate(found.counts), strict=True)
        ]
    else:
        lines = [
            f"{name}{_braces((*labels, ('quantile', quantile)))} {_number(found.last)}"
            for quantile in _QUANTILES
        ]
    lines.append(f"{name}_sum{_braces(labels)} {_number(found.total)}")
    lines.append(f"{name}_count{_braces(labels)} {found.values}")
    return lines


def _braces(labels: Labels) -> str:
    inside = ",".join(f'{key}="{value}"' for key, value in labels)
    return f"{{{inside}}}" if inside else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
