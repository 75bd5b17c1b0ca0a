"""From bare hosts to serving ones: a table of contents.

    pyinfra inventory/NAME.py deploy.py -y

This file is loaded for every host before anything is executed on any: what `specs` or `preflight`
refuses ends the run with nothing changed. Each stage is one file in `fleet/stages/`.
"""

from pyinfra import host

from fleet import batching, specs
from fleet.operations.turn import turn
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

spec = specs.of(host)  # of all hosts, with every fault
found = preflight.apply(host)

# Traffic notices nothing of this, so all hosts do it at once, and what takes long is done.
base.apply(spec, found)
firewall.apply(spec, found)
if spec.engines:
    driver.apply(spec, found)
    runtime.apply(spec, found)
release.lay(spec, found)
if spec.engines:
    model.apply(spec, found)

# From here on a host changes what it serves with: hosts of one model after each other.
for batch in host.loop(batching.of(host)):
    turn(name=f"rollout | now {batch}", hosts=batch.hosts)
    if host.name in batch.hosts:
        both = batching.beside(host, spec, batch)  # engines, and copies of those that change
        agent.place(both, found)
        if spec.engines:
            runtime.split(spec)
            takeover.before_gateway(spec, found)
            gateway.apply(both)
            takeover.apply(spec, found)
            firewall.after_takeover(spec, found)
        agent.apply(both)
        if spec.engines:
            engine.apply(spec, batch.when, both)
        if both != spec:  # the copies go: nginx sends them nothing more, then the agent stops them
            agent.place(spec, found)
            gateway.apply(spec)
            agent.apply(spec)
        if spec.balancer.enabled:
            balancer.apply(spec)
        if spec.monitoring.enabled:
            monitoring.apply(spec)
        drift.apply(spec, found)
        release.apply(spec, found)
