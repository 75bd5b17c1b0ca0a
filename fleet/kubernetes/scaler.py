"""The HPA of a model, and the Prometheus adapter's rule by which it sees the queue. Pure.

The metrics API has one path segment for a metric's name, and no client expects a colon in it, so
that `vllm:num_requests_waiting` is offered as `vllm_num_requests_waiting`. Rules:
https://github.com/kubernetes-sigs/prometheus-adapter/blob/master/docs/config.md
"""

import math
import re
from collections.abc import Iterable

from agent.scaling_spec import ScalingSpec
from fleet.kubernetes.models import Exported
from fleet.kubernetes.values import Json, metadata, quantity

# Requests that wait inside one engine, as its program calls them.
QUEUES = {
    "tgi": "tgi_queue_size",
    "vllm": "vllm:num_requests_waiting",
    "sglang": "sglang:num_queue_reqs",
}
LONGEST_WINDOW, LONGEST_PERIOD = 3600, 1800  # seconds that an HPA takes


def offered(kind: str) -> str:
    """Return the name under which the adapter offers the queue of a kind of engine."""
    return QUEUES[kind].replace(":", "_")


def autoscaler(model: Exported) -> Json:
    """Render the HPA: the arithmetic of `stoker scale`, with the same limits."""
    wish = model.scaling
    target = {"type": "AverageValue", "averageValue": quantity(wish.target_queue)}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(model.name),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": model.name},
            "minReplicas": wish.min,
            "maxReplicas": model.most,
            "metrics": [
                {
                    "type": "Pods",
                    "pods": {"metric": {"name": offered(model.engine.kind)}, "target": target},
                }
            ],
            "behavior": _behaviour(wish),
        },
    }


def _behaviour(wish: ScalingSpec) -> Json:
    up, down = _period(wish.up_period), _period(wish.down_period)
    policies = [
        {"type": kind, "value": value, "periodSeconds": up}
        for kind, value in (("Percent", wish.up_percent), ("Pods", wish.up_replicas))
        if value
    ]
    window = min(LONGEST_WINDOW, math.ceil(wish.stabilisation))
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": policies,
        },
        "scaleDown": {
            "stabilizationWindowSeconds": window,
            "policies": [{"type": "Percent", "value": wish.down_percent, "periodSeconds": down}],
        },
    }


def _period(seconds: float) -> int:
    return max(1, min(LONGEST_PERIOD, math.ceil(seconds)))


def rule(kind: str) -> Json:
    """Return the adapter's rule for the queue of a kind of engine; a pod's series add up."""
    series = QUEUES[kind]
    by = {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}
    return {
        "seriesQuery": f'{{__name__="{series}",namespace!="",pod!=""}}',
        "resources": {"overrides": by},
        "name": {"matches": f"^{re.escape(series)}$", "as": offered(kind)},
        "metricsQuery": "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)",
    }


def adapter_values(kinds: Iterable[str]) -> Json:
    """Return values of the chart prometheus-community/prometheus-adapter."""
    return {"rules": {"custom": [rule(kind) for kind in sorted(set(kinds))]}}
