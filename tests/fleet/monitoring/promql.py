"""What an expression of PromQL asks for: metrics and labels, as far as our own expressions go."""

import re
from dataclasses import dataclass

WORDS = {
    *(
        "by",
        "ceil",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "and",
        "or",
        "unless",
        "bool",
    ),
    *("offset", "sum", "count", "max", "min", "avg", "topk", "rate", "increase", "time", "vector"),
    *("absent", "histogram_quantile", "avg_over_time", "max_over_time", "ALERTS"),
}
_STRING = re.compile(r'"[^"]*"')
_MATCHERS = re.compile(r"\{([^{}]*)\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)")
_NAME = re.compile(r"(?<![\w.:$])[a-zA-Z_:][\w:]*")


@dataclass(frozen=True)
class Asked:
    metrics: frozenset[str]
    labels: frozenset[str]


def asked(expr: str) -> Asked:
    """Return the names in an expression."""
    bare = _STRING.sub('""', expr)
    labels = {
        re.split(r"[=!]", part)[0].strip()
        for inside in _MATCHERS.findall(bare)
        for part in inside.split(",")
    }
    labels |= {part.strip() for inside in _GROUPING.findall(bare) for part in inside.split(",")}
    rest = _GROUPING.sub(" ", _MATCHERS.sub(" ", bare))
    rest = re.sub(r"\[[^\]]*\]|\boffset\s+\S+", " ", rest)
    metrics = {name for name in _NAME.findall(rest) if name not in WORDS}
    return Asked(frozenset(metrics), frozenset(labels - {""}))
