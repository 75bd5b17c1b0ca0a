"""The disruption that each stage declares, in the order of `deploy.py`."""

from fleet.disruption import Disruption
from fleet.stages import (
    agent,
    balancer,
    base,
    drift,
    driver,
    engine,
    firewall,
    gateway,
    model,
    monitoring,
    preflight,
    release,
    runtime,
    takeover,
)

DISRUPTIONS: dict[str, Disruption] = {
    module.__name__.rpartition(".")[2]: module.DISRUPTION
    for module in (
        preflight,
        base,
        firewall,
        driver,
        runtime,
        model,
        gateway,
        takeover,
        agent,
        engine,
        balancer,
        monitoring,
        drift,
        release,
    )
}
