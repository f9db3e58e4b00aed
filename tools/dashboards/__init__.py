"""Grafana's dashboards, built from code: `python -m tools.dashboards` writes deploy/grafana/dashboards/*.json."""
