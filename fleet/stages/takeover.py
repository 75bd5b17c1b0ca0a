"""takeover: containers of others that hold what engines need stop, and are removed.

It comes last before the agent starts our engines: images and weights are there already. One that
holds a port of the gateway must go before the gateway comes.
"""

from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet import takeover
from fleet.disruption import Disruption
from fleet.facts.bare import Bare
from fleet.operations.takeover import removed

DISRUPTION = Disruption.RESTART


@deploy("takeover")
def before_gateway(spec: HostSpec, found: Bare) -> None:
    """Take over what holds the gateway's ports."""
    _remove(spec, takeover.early(spec, found))


@deploy("takeover")
def apply(spec: HostSpec, found: Bare) -> None:
    """Take over the rest."""
    _remove(spec, takeover.late(spec, found))


def _remove(spec: HostSpec, names: list[str]) -> None:
    if names:
        removed(
            name=f"stop and remove container {', '.join(names)}",
            names=names,
            seconds=takeover.stop_seconds(spec),
        )
