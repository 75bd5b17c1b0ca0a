"""Deployment, Service, disruption budget and network policy of one model. Pure."""

import math
from urllib.parse import urlsplit

from agent.engines import ENGINES
from fleet.kubernetes import pod
from fleet.kubernetes.models import Exported
from fleet.kubernetes.values import CLIENT, HTTP, MONITORING, Json, labels, metadata, selector


def deployment(model: Exported, claim: str | None) -> Json:
    """Render the Deployment; the HPA says how many replicas it has."""
    start = model.engine.startup_deadline + 60
    fetch = 0.0 if claim is not None else model.model.download_deadline
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(model.name),
        "spec": {
            "selector": {"matchLabels": selector(model.name)},
            # No GPU is free for a second copy.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": model.batch},
            },
            "progressDeadlineSeconds": math.ceil(start + fetch),
            "revisionHistoryLimit": model.kept,
            "template": pod.template(model, claim),
        },
    }


def service(model: Exported) -> Json:
    """Render the Service that clients, or a gateway of yours, ask."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(model.name),
        "spec": {
            "selector": selector(model.name),
            "ports": [{"name": HTTP, "port": 80, "targetPort": HTTP}],
        },
    }


def disruption_budget(model: Exported) -> Json:
    """Render a budget: a drain of machines takes as many replicas at a time as a deploy does."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(model.name),
        "spec": {
            "maxUnavailable": model.batch,
            "selector": {"matchLabels": selector(model.name)},
        },
    }


def network_policy(model: Exported, claim: str | None) -> Json:
    """Render who may reach the engine, which checks no key, and what it may reach."""
    port = ENGINES[model.engine.kind].container(model.engine, "/w/m/c", []).port
    inside = [{"port": port, "protocol": "TCP"}]
    prometheus = {"matchLabels": {"kubernetes.io/metadata.name": MONITORING}}
    names = [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    hub: list[Json] = [{"ports": names}, {"ports": [{"port": _hub(model), "protocol": "TCP"}]}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(model.name),
        "spec": {
            "podSelector": {"matchLabels": selector(model.name)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [{"podSelector": {"matchLabels": {CLIENT: "true"}}}],
                    "ports": inside,
                },
                {"from": [{"namespaceSelector": prometheus}], "ports": inside},
            ],
            # For the init container alone; a pod has one policy.
            "egress": hub if claim is None else [],
        },
    }


def _hub(model: Exported) -> int:
    """Return the port on which the weights are fetched."""
    address = urlsplit(model.model.hub)
    return address.port or (80 if address.scheme == "http" else 443)


def pod_monitor(model: Exported) -> Json:
    """Render what prometheus-operator scrapes."""
    path = ENGINES[model.engine.kind].metrics_path
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": metadata(model.name),
        "spec": {
            "selector": {"matchLabels": labels(model.name)},
            "podMetricsEndpoints": [{"port": HTTP, "path": path, "interval": "15s"}],
        },
    }
