"""Grafana's boards as code: one file a board. `fleet.monitoring.grafana` lists them.

The JSON is that of Grafana's classic dashboards (schema 39: Grafana 11, read by 9 to 13 as well).
"""
