from pyinfra import host
from fleet import specs
from fleet.stages import gateway
gateway.apply(specs.of(host))
