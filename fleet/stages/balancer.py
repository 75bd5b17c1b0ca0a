"""balancer: HAProxy in front of the gateways of all hosts; keepalived where some share an address.

It has a configuration of its own; the distribution's stays unused.
"""

from pyinfra import host
from pyinfra.api.deploy import deploy

from agent.spec import HostSpec
from fleet import balancer, balancer_tls
from fleet.disruption import Disruption
from fleet.operations.directories import directories
from fleet.operations.file import file
from fleet.operations.haproxy_conf import (
    SHARED_DROP_IN,
    haproxy_conf,
    keepalived_conf,
    keepalived_off,
)
from fleet.operations.packages import packages
from fleet.operations.units import unit_current, unit_known
from fleet.render import render

DISRUPTION = Disruption.NONE
DROP_IN = "/etc/systemd/system/haproxy.service.d/stoker.conf"
SHARED_STAMP = "/run/stoker-keepalived.sha256"


@deploy("balancer")
def apply(spec: HostSpec) -> None:
    """Put HAProxy in front; what is in flight goes on while it is reloaded."""
    packages(name="install haproxy", names=["haproxy"])
    directories(name="make directories", wanted={DROP_IN.rpartition("/")[0]: ("755", "root:root")})
    file(name=f"place {DROP_IN}", path=DROP_IN, content=balancer.drop_in(spec))
    balancer_tls.place(spec, host)
    script = balancer.script(spec)
    file(name=f"place {balancer.SCRIPT}", path=balancer.SCRIPT, content=script)
    haproxy_conf(name=f"place {balancer.CONF}", spec=spec)
    unit_known(name="read haproxy.service", units=["haproxy.service"], drop_in=DROP_IN)
    unit_current(
        name="run haproxy with this",
        unit="haproxy.service",
        files=balancer.files(spec),
        stamp=balancer.STAMP,
        reload=True,
    )
    if spec.balancer.vip:
        _shared(spec)
    else:
        keepalived_off(name=f"remove {balancer.KEEPALIVED}")


def _shared(spec: HostSpec) -> None:
    """Have keepalived give the shared address to one of the balancers."""
    packages(name="install keepalived", names=["keepalived"])
    ours = ("755", "root:root")
    directories(
        name="make directories of keepalived",
        wanted={"/etc/keepalived": ours, SHARED_DROP_IN.rpartition("/")[0]: ours},
    )
    content = render("keepalived.service.d", conf=balancer.KEEPALIVED, stamp=SHARED_STAMP)
    file(name=f"place {SHARED_DROP_IN}", path=SHARED_DROP_IN, content=content)
    keepalived_conf(name=f"place {balancer.KEEPALIVED}", spec=spec)
    unit_known(name="read keepalived.service", units=["keepalived.service"], drop_in=SHARED_DROP_IN)
    unit_current(
        name="run keepalived with this",
        unit="keepalived.service",
        files=[balancer.KEEPALIVED],
        stamp=SHARED_STAMP,
        reload=True,
    )
