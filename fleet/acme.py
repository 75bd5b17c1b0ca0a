"""Certificates by ACME: what certbot is told, and whether there is anything to tell it. Pure.

certbot is the distribution's: its timer renews, and runs our hook when it has. The key is made on
the node, and leaves it never.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from agent.spec import GatewaySpec
from fleet import certificates

LINEAGE = "stoker"  # certbot's name of the certificate
LIVE = f"/etc/letsencrypt/live/{LINEAGE}"
RENEWAL = f"/etc/letsencrypt/renewal/{LINEAGE}.conf"
WEBROOT = "/var/lib/stoker/acme"
HOOK = "/etc/stoker/acme-deployed"
CA = "/etc/stoker/acme-ca.pem"
DROP_IN_DIRECTORY = "/etc/systemd/system/certbot.service.d"
DROP_IN = f"{DROP_IN_DIRECTORY}/stoker.conf"
# certbot renews when a third is left; with less than half of that, something keeps it from it.
OVERDUE = 1 / 6


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """The certificate that certbot keeps. `server`: whom it is from; "" = there is none.

    `placed`: nginx has these very files. Moments are None where they cannot be told.
    """

    server: str = ""
    names: frozenset[str] = frozenset()
    begins: datetime | None = None
    ends: datetime | None = None
    placed: bool = False

    def overdue(self, now: datetime) -> bool:
        """Tell whether it should have been renewed by now."""
        if self.begins is None or self.ends is None:
            return True
        return self.ends - now < max((self.ends - self.begins) * OVERDUE, timedelta())

    def wanted(self, gateway: GatewaySpec, now: datetime) -> bool:
        """Tell whether this is what the gateway is to have."""
        same = self.names == set(certificates.names(gateway.server_name))
        return self.server == gateway.acme_directory and same and not self.overdue(now)


def certbot(gateway: GatewaySpec, found: Lineage) -> list[str]:
    """Return the command that obtains the certificate; another server means a new one at once."""
    email = gateway.acme_email
    account = ["--email", email] if email else ["--register-unsafely-without-email"]
    other = bool(found.server) and found.server != gateway.acme_directory
    names = [word for name in certificates.names(gateway.server_name) for word in ("-d", name)]
    return [
        *("certbot", "certonly", "--non-interactive", "--agree-tos", *account),
        *("--server", gateway.acme_directory, "--cert-name", LINEAGE, "--key-type", "ecdsa"),
        *("--webroot", "--webroot-path", WEBROOT, "--deploy-hook", HOOK),
        *(("--renew-with-new-domains",) if found.server else ()),
        "--force-renewal" if other else "--keep-until-expiring",
        *names,
    ]


def faults(gateway: GatewaySpec) -> list[str]:
    """Return a sentence for each name that no ACME server can validate by HTTP-01."""
    names = certificates.names(gateway.server_name)
    if not names:
        return ["gateway_server_name: gateway_tls = 'acme' needs the name that clients use"]
    return [
        f"gateway_server_name = {name!r}: gateway_tls = 'acme' validates by HTTP, which works for "
        "names only: no address, no '*', no name without a dot"
        for name in names
        if not _validated(name)
    ]


def _validated(name: str) -> bool:
    return "." in name and "*" not in name and not certificates.address(name)


def moment(text: str) -> datetime | None:
    """Read a moment as OpenSSL prints it: `Feb 26 01:20:03 2027 GMT`."""
    try:
        return datetime.strptime(f"{text.removesuffix(' GMT')} +0000", "%b %d %H:%M:%S %Y %z")
    except ValueError:
        return None


def lineage(lines: Sequence[str]) -> Lineage:
    """Read what the fact's command printed."""
    said = dict(line.partition("=")[::2] for line in lines if "=" in line)
    names = [part for line in lines if "DNS:" in line for part in line.split(",")]
    return Lineage(
        server=said.get("server ", "").strip(),
        names=frozenset(name.strip().removeprefix("DNS:") for name in names),
        begins=moment(said.get("notBefore", "")),
        ends=moment(said.get("notAfter", "")),
        placed="placed" in lines,
    )
