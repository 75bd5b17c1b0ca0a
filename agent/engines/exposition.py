"""Reading a few numbers out of a Prometheus exposition.

A scrape is large (TGI alone sends 1024 buckets for one histogram, vLLM 700 lines) and read every
second, so it is searched for the wanted lines, and nothing else of it is looked at.
"""

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

BOUND = re.compile(r'[{,]le="([^"]+)"')


class Histogram(msgspec.Struct, frozen=True):
    """Bounds, each with how many values are not above it, the last of them "+Inf"; and the sum."""

    buckets: tuple[tuple[str, float], ...]
    sum: float


def series(metrics: str, sample: str) -> list["Sample"]:
    """Return all series of exactly `sample`, with labels and value; `ValueError` when garbled."""
    # A check for drift knows the engines too, and has to be small.
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    wanted = "\n".join(_lines(metrics, sample))
    families = text_string_to_metric_families(wanted + "\n") if wanted else ()
    return [found for family in families for found in family.samples]


def total(metrics: str, sample: str) -> float | None:
    """Return the sum of all series of `sample`; None when there is none, or not a number."""
    values = [_value(line, len(sample)) for line in _lines(metrics, sample)]
    return sum(values) if values and all(map(math.isfinite, values)) else None


def highest(metrics: str, sample: str) -> float | None:
    """Return the highest number among all series of `sample`; None when there is none."""
    values = [_value(line, len(sample)) for line in _lines(metrics, sample)]
    return max((one for one in values if math.isfinite(one)), default=None)


def histogram(metrics: str, name: str) -> Histogram | None:
    """Return all series of a histogram added up; None when there is none, or not a whole one."""
    counts: dict[float, float] = {}
    bucket = f"{name}_bucket"
    for line in _lines(metrics, bucket):
        bound = BOUND.search(line)
        try:
            limit = float(bound[1]) if bound else math.nan
        except ValueError:
            limit = math.nan
        if math.isnan(limit):
            return None
        counts[limit] = counts.get(limit, 0.0) + _value(line, len(bucket))
    summed = total(metrics, f"{name}_sum")
    if math.inf not in counts or summed is None or not all(map(math.isfinite, counts.values())):
        return None
    ordered = sorted(counts.items())
    named = ("+Inf" if math.isinf(limit) else repr(limit) for limit, _ in ordered)
    return Histogram(tuple(zip(named, (n for _, n in ordered), strict=True)), summed)


def speaks(metrics: str, prefix: str) -> bool:
    """Say whether any series of the exposition starts with `prefix`."""
    return f"\n{prefix}" in "\n" + metrics


def _lines(metrics: str, sample: str) -> Iterator[str]:
    text, begin = f"\n{metrics}\n", f"\n{sample}"
    at = text.find(begin)
    while at >= 0:
        end = text.index("\n", at + 1)
        if text[at + len(begin)] in "{ ":  # else it is a longer name
            yield text[at + 1 : end].rstrip("\r")
        at = text.find(begin, end)


def _value(line: str, name: int) -> float:
    """Return the number behind the name and the labels; NaN when there is none."""
    try:
        return float(line[max(line.rfind("}") + 1, name) :].split(maxsplit=1)[0])
    except (ValueError, IndexError):
        return math.nan
