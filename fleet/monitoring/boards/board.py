"""What boards are made of: panels from left to right, in rows of 24 columns. Pure."""

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

SCHEMA = 39
COLUMNS = 24
HEIGHT = 8
SOURCE = {"type": "prometheus", "uid": "${source}"}

Kind = Literal["timeseries", "stat", "table", "state-timeline"]


class Query(Struct, frozen=True):
    """PromQL, and the name of what it gives; {{label}} stands for a label's value."""

    expr: str
    legend: str = ""


class Panel(Struct, frozen=True, kw_only=True):
    """One picture. `unit` is one of Grafana's; `bad`: from this value on it is red.

    `below`: bad is what is less. `note` is what the little "i" says.
    """

    title: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = HEIGHT
    bad: float | None = None
    below: bool = False
    most: float | None = None
    note: str = ""

    def document(self, number: int, column: int, row: int) -> dict[str, Any]:
        """Return the panel as Grafana reads it."""
        defaults: dict[str, Any] = {"unit": self.unit, "thresholds": self._thresholds()}
        if self.most is not None:
            defaults |= {"min": 0, "max": self.most}
        if self.kind == "timeseries":
            defaults["custom"] = {"fillOpacity": 10, "showPoints": "never", "spanNulls": False}
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.note,
            "datasource": SOURCE,
            "gridPos": {"x": column, "y": row, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": OPTIONS[self.kind],
            "targets": [self._target(n, query) for n, query in enumerate(self.queries)],
            **({"transformations": TIDY} if self.kind == "table" else {}),
        }

    def _target(self, number: int, query: Query) -> dict[str, Any]:
        now = self.kind in {"table", "stat"}
        return {
            "refId": chr(ord("A") + number),
            "datasource": SOURCE,
            "expr": query.expr,
            "legendFormat": query.legend or "__auto",
            "instant": now,
            "range": not now,
            **({"format": "table"} if self.kind == "table" else {}),
        }

    def _thresholds(self) -> dict[str, Any]:
        low, high = ("red", "green") if self.below else ("green", "red")
        steps: list[dict[str, Any]] = [{"color": low, "value": None}]
        if self.bad is not None:
            steps.append({"color": high, "value": self.bad})
        return {"mode": "absolute", "steps": steps}


class Variable(Struct, frozen=True):
    """A choice above the panels, of the values of `label` in the series that `of` finds."""

    label: str
    of: str

    def document(self) -> dict[str, Any]:
        """Return the variable as Grafana reads it."""
        query = f"label_values({self.of}, {self.label})"
        return {
            "name": self.label,
            "label": self.label,
            "type": "query",
            "datasource": SOURCE,
            "query": {"query": query, "refId": "Variable"},
            "definition": query,
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
            "refresh": 2,
            "sort": 1,
        }


class Board(Struct, frozen=True, kw_only=True):
    """A page of panels."""

    uid: str
    title: str
    panels: tuple[Panel, ...]
    variables: tuple[Variable, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return the board as Grafana reads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": ["stoker"],
            "schemaVersion": SCHEMA,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"},
            "timezone": "browser",
            "annotations": {"list": []},
            "links": [LINK],
            "templating": {"list": [CHOICE, *(one.document() for one in self.variables)]},
            "panels": list(self._placed()),
        }

    def _placed(self) -> Iterator[dict[str, Any]]:
        column = row = tallest = 0
        for number, panel in enumerate(self.panels, 1):
            if column + panel.width > COLUMNS:
                column, row, tallest = 0, row + tallest, 0
            yield panel.document(number, column, row)
            column, tallest = column + panel.width, max(tallest, panel.height)


def stat(title: str, expr: str, **more: Any) -> Panel:
    """Return one number, in large."""
    return Panel(title=title, queries=(Query(expr),), kind="stat", width=4, height=4, **more)


def line(title: str, expr: str, legend: str, **more: Any) -> Panel:
    """Return lines over time, of one query."""
    return Panel(title=title, queries=(Query(expr, legend),), **more)


LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True}
OPTIONS: dict[Kind, dict[str, Any]] = {
    "timeseries": {"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "stat": {
        "colorMode": "background",
        "graphMode": "none",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    "table": {"showHeader": True},
    "state-timeline": {"legend": LEGEND, "mergeValues": True, "showValue": "never"},
}
# A table needs neither the instant nor what every row has in common.
TIDY = [
    {
        "id": "organize",
        "options": {"excludeByName": {"Time": True, "Value": True, "__name__": True, "job": True}},
    }
]
LINK = {
    "type": "dashboards",
    "title": "Stoker",
    "tags": ["stoker"],
    "asDropdown": False,
    "includeVars": True,
    "keepTime": True,
}
CHOICE = {
    "name": "source",
    "label": "Prometheus",
    "type": "datasource",
    "query": "prometheus",
    "current": {"text": "Stoker", "value": "stoker"},
    "refresh": 1,
}
