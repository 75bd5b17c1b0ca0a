"""What watches a fleet: rules, targets, what Prometheus and Alertmanager read, boards. Pure.

rules/*.yml      recording rules and alerts, as Prometheus reads them
rules.py         those files, and what is made of the inventory: which models somebody wants
targets.py       whom Prometheus asks
alertmanager.py  whom Alertmanager tells
boards/          Grafana's boards, made by code
"""
