"""engine: every engine runs as its spec says. Hosts that serve the same model change one by one."""

from pyinfra import host
from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet import rollout, specs
from fleet.applying import When
from fleet.disruption import Disruption
from fleet.operations.engines_current import engines_current

DISRUPTION = Disruption.RESTART


@deploy("engine")
def apply(spec: HostSpec) -> None:
    """Start what does not serve, on all hosts at once; then roll what serves with old settings."""
    engines_current(name="start what does not serve", spec=spec, when=When.NOT_SERVING)
    serves = {
        name: {engine.model for engine in other.engines.values()}
        for name, other in specs.of_inventory(host.inventory).items()
    }
    for batch in host.loop(rollout.batches(serves)):
        if host.name in batch:
            engines_current(name=f"roll {', '.join(batch)}", spec=spec, when=When.ALWAYS)
