"""From bare hosts to serving ones: a table of contents.

    pyinfra inventory/NAME.py deploy.py -y

This file is loaded for every host before anything is executed on any: what `specs` or `preflight`
refuses ends the run with nothing changed. Each stage is one file in `fleet/stages/`.
"""

from pyinfra import host

from fleet import specs
from fleet.stages import (
    agent,
    base,
    drift,
    driver,
    engine,
    firewall,
    gateway,
    model,
    preflight,
    runtime,
    takeover,
)

spec = specs.of(host)  # of all hosts, with every fault
found = preflight.apply(host)

base.apply(spec, found)
firewall.apply(spec, found)
driver.apply(spec, found)
runtime.apply(spec, found)
model.apply(spec, found)
takeover.before_gateway(spec, found)
gateway.apply(spec)
takeover.apply(spec, found)
firewall.after_takeover(spec, found)
agent.apply(spec)
engine.apply(spec)
drift.apply(spec)
