"""Metrics as prometheus_client writes them: every family is there from the start, at zero."""

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import accumulate

Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Family:
    """One line of a dialect's table."""

    name: str
    kind: str
    label: str
    """A label of its own, beside those that all have."""
    values: tuple[str, ...]
    """Values of that label that are there from the start."""
    bounds: tuple[float, ...]
    help: str


@dataclass
class _Series:
    value: float = 0.0
    counts: list[int] = field(default_factory=list)


def load(package: str, table: str = "metrics.tsv") -> tuple[Family, ...]:
    """The families in a table of `package`: name, kind, label, values, bounds, help."""
    lines = files(package).joinpath(table).read_text().splitlines()
    return tuple(_family(line) for line in lines if not line.startswith("#"))


def _family(line: str) -> Family:
    name, kind, label, values, bounds, text = line.split("\t")
    return Family(
        name=name,
        kind=kind,
        label=label,
        values=tuple(value for value in values.split(",") if value),
        bounds=tuple(float(bound) for bound in bounds.split(",") if bound),
        help=text,
    )


class Registry:
    """The metrics of one server."""

    def __init__(
        self, families: tuple[Family, ...], labels: Mapping[str, str], *, created: bool
    ) -> None:
        """`labels` are on every sample; `created` adds the time series `…_created`."""
        self._families = {family.name: family for family in families}
        self._labels, self._created = dict(labels), created
        self._born = time.time()
        self._series: dict[str, dict[Key, _Series]] = {name: {} for name in self._families}
        for family in families:
            for value in family.values if family.label else ("",):
                self._at(family.name, {family.label: value} if family.label else {})

    def add(self, name: str, by: float = 1.0, **labels: str) -> None:
        """Raise a counter."""
        self._at(name, labels).value += by

    def put(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._at(name, labels).value = value

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Record a value in a histogram."""
        series = self._at(name, labels)
        series.value += value
        series.counts[bisect_left(self._families[name].bounds, value)] += 1

    def text(self) -> str:
        """All of them in Prometheus' text format."""
        lines = (line for family in self._families.values() for line in self._lines(family))
        return "\n".join(lines) + "\n"

    def _at(self, name: str, labels: Mapping[str, str]) -> _Series:
        key = tuple(sorted((self._labels | dict(labels)).items()))
        buckets = len(self._families[name].bounds) + 1
        return self._series[name].setdefault(key, _Series(counts=[0] * buckets))

    def _lines(self, family: Family) -> Iterator[str]:
        yield f"# HELP {family.name} {family.help}"
        yield f"# TYPE {family.name} {family.kind}"
        for key, series in self._series[family.name].items():
            if family.kind == "histogram":
                yield from _histogram(family, key, series)
            else:
                yield f"{family.name}{braces(key)} {number(series.value)}"
        if self._created and family.kind != "gauge":
            name = f"{family.name.removesuffix('_total')}_created"
            if family.kind == "histogram":
                name = f"{family.name}_created"
            yield f"# HELP {name} {family.help}"
            yield f"# TYPE {name} gauge"
            for key in self._series[family.name]:
                yield f"{name}{braces(key)} {number(self._born)}"


def _histogram(family: Family, key: Key, series: _Series) -> Iterator[str]:
    bounds = [*(number(bound) for bound in family.bounds), "+Inf"]
    for bound, count in zip(bounds, accumulate(series.counts), strict=True):
        yield f"{family.name}_bucket{braces((*key, ('le', bound)))} {number(count)}"
    yield f"{family.name}_count{braces(key)} {number(sum(series.counts))}"
    yield f"{family.name}_sum{braces(key)} {number(series.value)}"


def braces(key: Key) -> str:
    """Labels as Prometheus writes them, in their order of name."""
    inside = ",".join(f'{name}="{value}"' for name, value in sorted(key))
    return f"{{{inside}}}" if inside else ""


def number(value: float) -> str:
    """A float as Go writes it, which turns to exponents sooner than Python."""
    text = repr(float(value))
    dot = text.find(".")
    if dot > 6:
        mantissa = f"{text[0]}.{text[1:dot]}{text[dot + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{dot - 1:02}"
    return text
