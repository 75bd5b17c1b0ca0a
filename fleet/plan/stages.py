"""The disruption that each stage declares, in the order of `deploy.py`."""

from fleet.disruption import Disruption
from fleet.stages import (
    agent,
    base,
    drift,
    driver,
    engine,
    gateway,
    model,
    preflight,
    release,
    runtime,
)

DISRUPTIONS: dict[str, Disruption] = {
    module.__name__.rpartition(".")[2]: module.DISRUPTION
    for module in (preflight, base, driver, runtime, release, model, gateway, agent, engine, drift)
}
