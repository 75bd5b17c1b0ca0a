"""engine: every engine runs as its spec says, and has answered a chat."""

from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet.applying import When
from fleet.disruption import Disruption
from fleet.operations.copies import copies_drained, copies_serve
from fleet.operations.engines_current import engines_current

DISRUPTION = Disruption.RESTART


@deploy("engine")
def apply(spec: HostSpec, when: When, both: HostSpec) -> None:
    """Start what does not serve; what serves with old settings only in its own batch.

    `both`: the spec with the copies that are to serve meanwhile; the host has converged to it.
    """
    copies = sorted(both.engines.keys() - spec.engines.keys())
    if copies:
        copies_serve(name=f"let {', '.join(copies)} serve", spec=both, copies=copies)
    engines_current(name="run the engines with their settings", spec=spec, when=when)
    if copies:
        copies_drained(name=f"drain {', '.join(copies)}", spec=both, copies=copies)
