"""An ACME server in a fleet's depot: pebble, of Let's Encrypt's own tests, as Debian packs it.

It validates by HTTP-01 at port 80 of the fleet's hosts, whose names Docker resolves. It forgets all
accounts and certificates, and makes a new authority, whenever it is started.
"""

import json
import ssl
import urllib.request
from functools import partial

from tests.sandbox import docker
from tests.sandbox.depot import NAME
from tests.sandbox.layout import DOMAIN, FleetLayout
from tests.sandbox.progress import wait_until
from tests.sandbox.shell import SandboxError

PORT, MANAGEMENT = 14000, 15000
CONFIG = {
    "pebble": {
        "listenAddress": f"0.0.0.0:{PORT}",
        "managementListenAddress": f"0.0.0.0:{MANAGEMENT}",
        "certificate": "/etc/depot/tls.crt",
        "privateKey": "/etc/depot/tls.key",
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
}
# Without pauses before a validation, and without nonces that it refuses on purpose.
RUN = (
    "systemctl is-active -q pebble || systemd-run -q --unit=pebble "
    "-E PEBBLE_VA_NOSLEEP=1 -E PEBBLE_WFE_NONCEREJECT=0 pebble -config /etc/pebble.json -strict"
)


class Acme:
    """The ACME server of one fleet; `directory` is its address."""

    directory = f"https://{NAME}.{DOMAIN}:{PORT}/dir"

    def __init__(self, layout: FleetLayout) -> None:
        self._layout = layout
        self._container = layout.container(NAME)

    def start(self) -> None:
        """Run it."""
        config = json.dumps(CONFIG)
        self._shell(f"printf %s '{config}' >/etc/pebble.json\n{RUN}")
        if not wait_until(partial(self._answers), 20):
            raise SandboxError("the ACME server does not answer")

    def stop(self) -> None:
        """Stop it; what it has issued stays good."""
        self._shell("systemctl stop pebble; true")

    def root(self) -> str:
        """Return the certificate of its authority, in PEM: what its clients' clients trust."""
        return self._get(MANAGEMENT, "/roots/0")

    def _answers(self) -> bool:
        try:
            return bool(self._get(PORT, "/dir"))
        except OSError:
            return False

    def _get(self, port: int, path: str) -> str:
        trust = ssl.create_default_context(cafile=str(self._layout.directory / "ca.pem"))
        url = f"https://{self._layout.depot_address}:{port}{path}"
        with urllib.request.urlopen(url, timeout=5, context=trust) as answer:
            return str(answer.read().decode())

    def _shell(self, script: str, deadline: float = 60) -> None:
        docker.docker("exec", self._container, "sh", "-ec", script, deadline=deadline)
