"""A panel and its expressions, as Grafana's JSON has them (schema version 39, Grafana 11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

SOURCE: Final = {"type": "prometheus", "uid": "qpq-prometheus"}
SCHEMA: Final = 39
COLUMNS: Final = 24
WIDTH, HEIGHT = 8, 8


@dataclass(frozen=True, slots=True)
class Query:
    """An expression and what its lines are called; `{{label}}` names a label."""

    expr: str
    legend: str = ""
    only: str = ""
    """The condition without which it returns nothing, as `tools.observability` plants it; empty: it always does."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `unit` is Grafana's: s, bytes, ops, percentunit, short."""

    title: str
    unit: str
    queries: tuple[Query, ...]
    text: str = ""
    """What it shows and what is usual, for who hovers over its corner."""
    moves: str = ""
    """The planted condition under which it has to move; empty: the load alone moves it."""

    def json(self, number: int) -> dict[str, Any]:
        """Return it as Grafana reads it, in the place that its number gives it."""
        per_row = COLUMNS // WIDTH
        place = {"x": number % per_row * WIDTH, "y": number // per_row * HEIGHT, "w": WIDTH, "h": HEIGHT}
        return {
            "id": number + 1,
            "type": "timeseries",
            "title": self.title,
            "description": self.text,
            "datasource": SOURCE,
            "gridPos": place,
            "fieldConfig": {
                "defaults": {"unit": self.unit, "min": 0, "custom": {"fillOpacity": 8, "showPoints": "never"}},
                "overrides": [],
            },
            "options": {
                "legend": {"displayMode": "list", "placement": "bottom"},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
            "targets": [
                {
                    "refId": chr(ord("A") + place_of),
                    "expr": query.expr,
                    "legendFormat": query.legend or "__auto",
                    "datasource": SOURCE,
                }
                for place_of, query in enumerate(self.queries)
            ],
        }


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    panels: tuple[Panel, ...]

    def json(self) -> dict[str, Any]:
        """Return it as Grafana reads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "tags": ["qpq"],
            "schemaVersion": SCHEMA,
            "version": 1,
            "editable": False,
            "timezone": "utc",
            "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"},
            "templating": {"list": []},
            "annotations": {"list": []},
            "links": [{"type": "dashboards", "tags": ["qpq"], "title": "QPQ", "asDropdown": False}],
            "panels": [panel.json(number) for number, panel in enumerate(self.panels)],
        }


def quantile(q: float, name: str, by: str = "", where: str = "") -> str:
    """Return the expression of a histogram's quantile over five minutes."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({name}_bucket{where}[5m])))"


def rate(name: str, by: str = "", where: str = "") -> str:
    """Return the expression of a counter's rate over five minutes, summed."""
    return f"sum by ({by}) (rate({name}{where}[5m]))" if by else f"sum(rate({name}{where}[5m]))"
