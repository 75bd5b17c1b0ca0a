"""Every metric and label that rules, boards and docs use exists: else nobody would be told."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from fleet.monitoring import grafana, rules
from fleet.render import ROOT
from tests.fleet.monitoring.exported import Exported
from tests.fleet.monitoring.promql import asked

TARGET = {"job", "instance", "role"}  # what Prometheus and our targets add
# Of others; those of Prometheus 2.42 and Alertmanager 0.25 are looked up in tests of real ones.
OTHERS: dict[str, set[str]] = {
    "up": set(),
    "ALERTS": {"alertname", "alertstate", "severity"},
    "prometheus_notifications_errors_total": {"alertmanager"},
    "prometheus_rule_evaluation_failures_total": {"rule_group"},
    "prometheus_config_last_reload_successful": set(),
    "alertmanager_notifications_failed_total": {"integration"},
    "alertmanager_config_last_reload_successful": set(),
    "haproxy_backend_active_servers": {"proxy"},
    "haproxy_backend_current_queue": {"proxy"},
    "stoker:model_hosts:wanted": {"model"},  # made of the inventory
}
NO_METRICS = {"stoker_name", "stoker_error", "stoker_agent"}  # a key, a tag of nginx, the wheel


@cache
def exported() -> dict[str, set[str]]:
    return Exported().labels()


def ruled() -> Iterator[dict[str, Any]]:
    for text in rules.files("@").values():
        for group in yaml.safe_load(text)["groups"]:
            yield from group["rules"]


def recorded() -> dict[str, set[str]]:
    """Recorded series; a label of theirs is one of those that they are made from, or grouped by."""
    found: dict[str, set[str]] = {}
    for rule in ruled():
        if "record" in rule:
            names = asked(rule["expr"])
            parts = (KNOWN.get(name, found.get(name, set())) for name in names.metrics)
            found[rule["record"]] = set().union(*parts) | names.labels
    return found


KNOWN: dict[str, set[str]] = {}


def known() -> dict[str, set[str]]:
    if not KNOWN:
        KNOWN.update(exported() | OTHERS)
        KNOWN.update(recorded())
    return KNOWN


def asks() -> Iterator[tuple[str, str, set[str]]]:
    """Yield each place, its expression, and the labels that its text uses."""
    for rule in ruled():
        text = str(rule.get("annotations", {}))
        used = set(re.findall(r"\$labels\.(\w+)", text))
        yield rule.get("alert") or rule["record"], rule["expr"], used
    for board in grafana.ALL:
        for panel in board.panels:
            for query in panel.queries:
                used = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
                yield f"{board.uid}: {panel.title}", query.expr, used
        for variable in board.variables:
            yield f"{board.uid}: ${variable.label}", variable.of, {variable.label}


ASKS = tuple(asks())


@pytest.mark.parametrize(("place", "expr", "used"), ASKS, ids=[one[0] for one in ASKS])
def test_what_is_asked_for_exists(place: str, expr: str, used: set[str]) -> None:
    names = asked(expr)
    if not names.metrics and "ALERTS" not in expr:
        assert expr.startswith("vector"), place
    for metric in names.metrics:
        assert metric in known(), f"{place}: nobody exports {metric}"
    have = set().union(TARGET, {"le"}, *(known()[metric] for metric in names.metrics))
    if "ALERTS" in expr:
        have |= OTHERS["ALERTS"]
    assert names.labels | used <= have, f"{place}: no label {names.labels | used - have}"


def test_every_metric_in_the_docs_exists() -> None:
    names = exported()
    families = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in names}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for name in set(re.findall(r"\bstoker_[a-z0-9_]+", page.read_text())) - NO_METRICS:
            assert name in names or name in families, f"{page.name}: nobody exports {name}"
        for name in set(re.findall(r"\bstoker:[a-z0-9_:]+", page.read_text())):
            assert name in known(), f"{page.name}: nobody records {name}"


def test_no_board_panel_is_a_copy() -> None:
    for board in grafana.ALL:
        titles = [panel.title for panel in board.panels]
        assert len(titles) == len(set(titles))


def test_nobody_reads_the_wrong_engines_names() -> None:
    """Rules and boards are for all three programs: none asks for a program's own metric."""
    for place, expr, _ in ASKS:
        assert not re.search(r"\b(tgi_|vllm:|sglang:)", expr), place


@pytest.mark.parametrize(
    ("expr", "metrics", "labels"),
    [
        ("up", {"up"}, set()),
        ('a_b{x="c_d",y=~"e"} > 2', {"a_b"}, {"x", "y"}),
        ("sum by (l, m) (rate(a[5m] offset 10m))", {"a"}, {"l", "m"}),
        ("a:b:c * on (i) group_left (m) d unless on (x) e", {"a:b:c", "d", "e"}, {"i", "m", "x"}),
        ("time() - a > 3 * 3600", {"a"}, set()),
        ("histogram_quantile(0.99, rate(a_bucket[5m])) >= 0", {"a_bucket"}, set()),
    ],
)
def test_reading_an_expression(expr: str, metrics: set[str], labels: set[str]) -> None:
    assert asked(expr).metrics == metrics
    assert asked(expr).labels == labels
