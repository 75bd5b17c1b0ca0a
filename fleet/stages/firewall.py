"""firewall: nothing comes in but SSH, the gateway, and whom the spec names.

It comes second, right after the ground is laid: whatever a later stage starts is behind it from
its first moment, and stays behind it at every boot.
"""

from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet import firewall, takeover
from fleet.disruption import Disruption
from fleet.facts.bare import Bare
from fleet.operations.file import file
from fleet.operations.firewall import firewall_gone, firewall_rules
from fleet.operations.packages import packages
from fleet.operations.units import unit_known, unit_up
from fleet.render import render

DISRUPTION = Disruption.NONE  # connections that are open go on


@deploy("firewall")
def apply(spec: HostSpec, found: Bare) -> None:
    """Shut the host, in a way that opens again by itself if it shuts the operator out."""
    if not takeover.serving(spec, found):
        _shut(spec, found)


@deploy("firewall")
def after_takeover(spec: HostSpec, found: Bare) -> None:
    """Shut a host only now on which somebody else's container served until it was taken over."""
    if takeover.serving(spec, found):
        _shut(spec, found)


def _shut(spec: HostSpec, found: Bare) -> None:
    if not spec.firewall.enabled:
        firewall_gone(name=f"remove {firewall.PATH}", path=firewall.PATH, unit=firewall.UNIT)
        return
    packages(name="install nftables", names=["nftables"])
    file(
        name=f"place {firewall.UNIT}",
        path=firewall.UNIT,
        content=render("stoker-firewall.service", path=firewall.PATH),
    )
    unit_known(name="read stoker-firewall.service", units=["stoker-firewall.service"])
    firewall_rules(
        name=f"load {firewall.PATH}",
        path=firewall.PATH,
        rules=firewall.rules(spec, found.doors.ssh),
        closes=firewall.closes(spec, found),
    )
    unit_up(name="run stoker-firewall", unit="stoker-firewall.service")
