"""When a pod has started, may be asked, and is beyond help: by its engine's contract. Pure.

A /health that is slow says nothing bad of a busy engine, so that the kubelet is as patient as the
agent is with one that is idle (`agent.pace.Patience.idle_slow`). It has no eye for progress: an
engine that hangs behind a good /health (vLLM's) stays in service.
"""

import math

from agent.engines.base import Engine
from agent.spec import EngineSpec
from fleet.kubernetes.values import HTTP, LEAVE, Json

PERIOD = 10  # seconds between two looks
QUICK, SLOW = 5, 30  # seconds that an answer may take


def probes(adapter: Engine, engine: EngineSpec) -> Json:
    """Render the three probes of the engine's container."""
    patience = adapter.patience(engine).idle_slow
    wait = min(SLOW, max(QUICK, math.ceil(patience / 6)))
    look = {
        "httpGet": {"path": adapter.health_path, "port": HTTP},
        "periodSeconds": max(PERIOD, wait),
        "timeoutSeconds": wait,
    }
    start = math.ceil(engine.startup_deadline / PERIOD)
    return {
        # Until it has passed once, the two others do not look.
        "startupProbe": {
            **look,
            "periodSeconds": PERIOD,
            "timeoutSeconds": QUICK,
            "failureThreshold": max(1, start),
        },
        "readinessProbe": {**look, "failureThreshold": 2, "successThreshold": 1},
        "livenessProbe": {
            **look,
            "failureThreshold": max(3, math.ceil(patience / wait)),
            # What is beyond help finishes nothing: it is killed rather than stopped.
            "terminationGracePeriodSeconds": 2 * LEAVE,
        },
    }
