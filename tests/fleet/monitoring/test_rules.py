"""Alert rules, tried by `promtool test rules`: each fires on its fault, and is silent after it."""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from fleet.monitoring import rules
from fleet.render import ROOT
from tests.fleet.monitoring.cases import BEFORE, CASES, RISING, WELL, Case
from tests.sandbox import tools

FIRING = "ALERTS{alertstate='firing'}"


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert of the rule files, by name."""
    groups = [
        group for text in rules.files("@").values() for group in yaml.safe_load(text)["groups"]
    ]
    found = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert len({rule["alert"] for rule in found}) == len(found)
    return {rule["alert"]: rule for rule in found}


ALERTS = alerts()


@pytest.fixture(scope="module", autouse=True)
def promtool() -> None:
    tools.ensure("promtool")


def spans(case: Case) -> tuple[int, int, int]:
    return BEFORE, case.ends - BEFORE, case.length - case.ends


def gauge(series: str, values: Iterable[float | None], case: Case) -> dict[str, str]:
    parts = zip(values, spans(case), strict=True)
    return {"series": series, "values": " ".join(_held(*part) for part in parts)}


def _held(value: float | None, minutes: int) -> str:
    return f"_x{minutes}" if value is None else f"{value:.10g}x{minutes - 1}"


def counter(series: str, growths: Iterable[float], case: Case) -> dict[str, str]:
    told, top = [], 0.0
    for growth, minutes in zip(growths, spans(case), strict=True):
        told.append(f"{top:.10g}+{growth:.10g}x{minutes - 1}")
        top += growth * minutes
    return {"series": series, "values": " ".join(told)}


def series(case: Case) -> Iterator[dict[str, str]]:
    gauges = {name: (value, value) for name, value in WELL.items()} | dict(case.sick)
    for name, (well, sick) in gauges.items():
        yield gauge(name, (well, sick, well), case)
    counters = {name: (growth, growth) for name, growth in RISING.items()} | dict(case.rising)
    for name, (before, during) in counters.items():
        yield counter(name, (before, during, before), case)


def written(path: Path, case: Case, checks: Iterable[dict[str, Any]]) -> Path:
    """Write what promtool tries; JSON is YAML, too."""
    names = []
    for name, text in rules.files("https://runbooks.example").items():
        (path / name).write_text(text)
        names.append(name)
    document = {
        "rule_files": names,
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": list(series(case)), **dict(*checks)}],
    }
    file = path / "test.yml"
    file.write_text(json.dumps(document))
    return file


def tried(file: Path) -> subprocess.CompletedProcess[str]:
    command = ["promtool", "test", "rules", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def quiet(minute: int, expr: str = FIRING) -> dict[str, Any]:
    return {"expr": expr, "eval_time": f"{minute}m", "exp_samples": []}


def fires(name: str, case: Case) -> str:
    rule = ALERTS[name]
    labels = {
        "__name__": "ALERTS",
        "alertname": name,
        "alertstate": "firing",
        "severity": rule["labels"]["severity"],
        **case.labels,
    }
    inside = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key[0] != "_")
    return f"ALERTS{{{inside}}}"


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_on_its_fault_and_clears(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    mine = f"ALERTS{{alertname='{name}',alertstate='firing'}}"
    samples = [
        quiet(BEFORE - 1),
        *([quiet(BEFORE + case.quiet, mine)] if case.quiet else []),
        *(
            {
                "expr": mine,
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": fires(name, case), "value": 1}],
            }
            for minute in (BEFORE + case.after, BEFORE + case.after + 10)
        ),
        quiet(case.ends + case.clears, mine),
        quiet(case.length - 1),
    ]
    said = []
    if case.summary:
        annotations = {
            "summary": case.summary,
            "runbook_url": ALERTS[name]["annotations"]["runbook_url"].replace(
                "@", "https://runbooks.example"
            ),
        }
        told = {"severity": ALERTS[name]["labels"]["severity"], **case.labels}
        said = [
            {
                "eval_time": f"{BEFORE + case.after}m",
                "alertname": name,
                "exp_alerts": [{"exp_labels": told, "exp_annotations": annotations}],
            }
        ]
    checks = {"promql_expr_test": samples, "alert_rule_test": said}
    done = tried(written(tmp_path, case, [checks]))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fleet_that_is_well_is_silent(tmp_path: Path) -> None:
    checks = {"promql_expr_test": [quiet(minute) for minute in range(0, Case().length, 7)]}
    done = tried(written(tmp_path, Case(), [checks]))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_and_no_case_is_left_over() -> None:
    assert set(CASES) == set(ALERTS)


def test_rules_are_sound(tmp_path: Path) -> None:
    for name, text in rules.files("https://runbooks.example", {"org/m": 2}).items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["promtool", "check", "rules", *map(str, tmp_path.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_a_person_needs(name: str) -> None:
    rule = ALERTS[name]
    assert name.startswith("Stoker")
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "runbook_url"}
    assert re.fullmatch(r"[^ ].*[.]", rule["annotations"]["summary"])
    base, _, page = rule["annotations"]["runbook_url"].partition("/")
    assert base == "@"
    text = (ROOT / "docs" / "runbooks" / page).read_text()
    assert f"`{name}`" in text.split("\n## ")[0], f"{page} does not name {name}"


def test_every_runbook_is_some_alerts() -> None:
    pages = {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"index.md"}
    told = {rule["annotations"]["runbook_url"].rpartition("/")[2] for rule in ALERTS.values()}
    assert pages == told
