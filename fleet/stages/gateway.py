"""gateway: nginx in front of the engines: TLS, keys, limits, the gate of each engine."""

from pyinfra import host
from pyinfra.api.deploy import deploy
from pyinfra.api.hiddenvalue import HiddenValue

from agent.spec import HostSpec
from fleet import control_files, gateway, key_maps, tls
from fleet.disruption import Disruption
from fleet.operations.directories import directories
from fleet.operations.file import file
from fleet.operations.nginx_conf import nginx_conf
from fleet.operations.packages import packages
from fleet.operations.secret_file import secret_file
from fleet.operations.units import unit_current, unit_known
from fleet.render import render

DISRUPTION = Disruption.NONE
STAMP = "/run/stoker-nginx.sha256"
DROP_IN = "/etc/systemd/system/nginx.service.d/stoker.conf"


@deploy("gateway")
def apply(spec: HostSpec) -> None:
    """Put nginx in front. It has a configuration of its own; the distribution's stays unused."""
    needed = gateway.packages(spec)
    packages(name=f"install {', '.join(needed)}", names=needed)
    directories(
        name="make directories",
        wanted={"/etc/systemd/system/nginx.service.d": ("755", "root:root")},
    )
    file(
        name=f"place {DROP_IN}",
        path=DROP_IN,
        content=render(
            "nginx.service.d", conf=gateway.CONF, files=" ".join(gateway.FILES), stamp=STAMP
        ),
    )
    tls.place(spec, host)
    api_keys = control_files.api_keys(spec)
    secret_file(
        name=f"place {gateway.KEYS}",
        path=gateway.KEYS,
        content=HiddenValue(key_maps.http(api_keys, spec.gateway)),
    )
    file(
        name=f"place {gateway.LIMITS}",
        path=gateway.LIMITS,
        content=key_maps.location(api_keys, spec.gateway),
    )
    file(
        name=f"place {gateway.SCRIPT}",
        path=gateway.SCRIPT,
        content=gateway.script(spec),
    )
    nginx_conf(name=f"place {gateway.CONF}", spec=spec)
    unit_known(name="read nginx.service", units=["nginx.service"], drop_in=DROP_IN)
    unit_current(
        name="run nginx with this",
        unit="nginx.service",
        files=gateway.FILES,
        stamp=STAMP,
        reload=True,
    )
    tls.obtain(spec)
