"""gateway: nginx in front of the engines: TLS, keys, limits, the gate of each engine."""

from pyinfra.api.deploy import deploy
from pyinfra.api.hiddenvalue import HiddenValue

from agent.spec import HostSpec
from fleet import control_files, gateway, keys
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
    packages(name="install nginx", names=["nginx"])
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
    file(
        name=f"place {gateway.CERTIFICATE}",
        path=gateway.CERTIFICATE,
        content=control_files.text(spec.gateway.tls_cert_file),
    )
    secret_file(
        name=f"place {gateway.PRIVATE_KEY}",
        path=gateway.PRIVATE_KEY,
        content=HiddenValue(control_files.text(spec.gateway.tls_key_file)),
    )
    api_keys = keys.parse(control_files.text(spec.gateway.keys_file))
    secret_file(
        name=f"place {gateway.KEYS}",
        path=gateway.KEYS,
        content=HiddenValue(keys.render(api_keys)),
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
