"""Where the gateway's certificate is from: placed before nginx runs, or obtained once it does."""

from pyinfra.api.hiddenvalue import HiddenValue
from pyinfra.api.host import Host

from agent.spec import HostSpec
from fleet import acme, certificates, control_files, gateway
from fleet.operations.acme import acme_certificate, acme_off, self_signed
from fleet.operations.directories import directories
from fleet.operations.file import file
from fleet.operations.link import absent
from fleet.operations.local_certificate import local_certificate
from fleet.operations.packages import packages
from fleet.operations.secret_file import secret_file
from fleet.operations.units import unit_known, unit_up
from fleet.render import render


def place(spec: HostSpec, host: Host) -> None:
    """Make a certificate and its key lie where nginx reads them."""
    match spec.gateway.tls:
        case "files":
            secret_file(
                name=f"place {gateway.PRIVATE_KEY}",
                path=gateway.PRIVATE_KEY,
                content=HiddenValue(control_files.text(spec.gateway.tls_key_file)),
            )
            file(
                name=f"place {gateway.CERTIFICATE}",
                path=gateway.CERTIFICATE,
                content=control_files.text(spec.gateway.tls_cert_file),
            )
        case "local-ca":
            local_certificate(
                name=f"place {gateway.CERTIFICATE} of the local authority",
                spec=spec,
                names=local_names(spec, host.data.get("ssh_hostname")),
            )
        case "acme":
            self_signed(
                name=f"make a first {gateway.CERTIFICATE}",
                names=list(certificates.names(spec.gateway.server_name)),
            )


def local_names(spec: HostSpec, reached_at: str | None) -> list[str]:
    """Return all names by which clients may know the host."""
    found = (*certificates.names(spec.gateway.server_name), spec.name, reached_at or "")
    return [name for name in dict.fromkeys(found) if name and "@" not in name]


def obtain(spec: HostSpec) -> None:
    """With ACME: get a certificate from the server, and have it renewed from then on."""
    if spec.gateway.tls != "acme":
        acme_off(name=f"remove {acme.HOOK}")
        return
    packages(name="install certbot", names=["certbot"])
    directories(
        name="make directories of certbot",
        wanted={acme.WEBROOT: ("755", "root:root"), acme.DROP_IN_DIRECTORY: ("755", "root:root")},
    )
    hook = render("acme-deployed", certificate=gateway.CERTIFICATE, private_key=gateway.PRIVATE_KEY)
    file(name=f"place {acme.HOOK}", path=acme.HOOK, content=hook, mode="755")
    if spec.gateway.acme_ca_file:
        content = control_files.text(spec.gateway.acme_ca_file)
        file(name=f"place {acme.CA}", path=acme.CA, content=content)
        drop_in = render("certbot.service.d", ca=acme.CA)
        file(name=f"place {acme.DROP_IN}", path=acme.DROP_IN, content=drop_in)
    else:
        absent(name=f"remove {acme.DROP_IN}", path=acme.DROP_IN)
    unit_known(name="read certbot.service", units=["certbot.service"])
    acme_certificate(name=f"obtain {gateway.CERTIFICATE} by ACME", settings=spec.gateway)
    unit_up(name="run certbot.timer", unit="certbot.timer")
