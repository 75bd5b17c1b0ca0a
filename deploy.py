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
    gateway,
    model,
    preflight,
    release,
    runtime,
)

spec = specs.of(host)  # of all hosts, with every fault
found = preflight.apply(host)

base.apply(spec, found)
driver.apply(spec, found)
runtime.apply(spec, found)
release.lay(spec, found)
model.apply(spec)
gateway.apply(spec)
agent.apply(spec)
engine.apply(spec)
drift.apply(spec)
release.apply(spec, found)
