"""engine: every engine runs as its spec says, and has answered a chat."""

from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet.applying import When
from fleet.disruption import Disruption
from fleet.operations.engines_current import engines_current

DISRUPTION = Disruption.RESTART


@deploy("engine")
def apply(spec: HostSpec, when: When) -> None:
    """Start what does not serve; what serves with old settings only in its own batch."""
    engines_current(name="run the engines with their settings", spec=spec, when=when)
