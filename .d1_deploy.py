from pyinfra import host
from fleet import specs
from fleet.stages import agent, base, engine, gateway, model, preflight
spec = specs.of(host)
found = preflight.apply(host)
base.apply(spec, found)
model.apply(spec, found)
gateway.apply(spec)
agent.apply(spec)
engine.apply(spec)
