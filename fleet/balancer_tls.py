"""The balancer's own certificate, and those by which it checks the gateways'."""

from pyinfra.api.hiddenvalue import HiddenValue
from pyinfra.api.host import Host

from agent.spec import HostSpec
from fleet import balancer, certificates, control_files
from fleet.operations.file import file
from fleet.operations.link import link
from fleet.operations.local_certificate import local_authority, local_certificate
from fleet.operations.secret_file import secret_file


def place(spec: HostSpec, host: Host) -> None:
    """Make all certificates lie where HAProxy reads them."""
    if spec.balancer.tls == "files":
        secret_file(
            name=f"place {balancer.PRIVATE_KEY}",
            path=balancer.PRIVATE_KEY,
            content=HiddenValue(control_files.text(spec.balancer.tls_key_file)),
        )
        file(
            name=f"place {balancer.CERTIFICATE}",
            path=balancer.CERTIFICATE,
            content=control_files.text(spec.balancer.tls_cert_file),
        )
    else:
        local_certificate(
            name=f"place {balancer.CERTIFICATE} of the local authority",
            spec=spec,
            names=names(spec, host.data.get("ssh_hostname")),
            called=f"{spec.name}.balancer",
            certificate=balancer.CERTIFICATE,
            private_key=balancer.PRIVATE_KEY,
        )
    link(name=f"link {balancer.KEY_LINK}", path=balancer.KEY_LINK, target=balancer.PRIVATE_KEY)
    if spec.balancer.nodes_ca_file is not None:
        content = control_files.text(spec.balancer.nodes_ca_file)
        file(name=f"place {balancer.NODES_CA}", path=balancer.NODES_CA, content=content)
    elif balancer.nodes_ca(spec):
        local_authority(name=f"place {balancer.NODES_CA}", spec=spec, path=balancer.NODES_CA)


def names(spec: HostSpec, reached_at: str | None) -> list[str]:
    """Return all names by which clients may know the balancer, its shared address among them."""
    known = (*certificates.names(spec.balancer.server_name), spec.name, spec.base.address)
    found = (*known, reached_at, (spec.balancer.vip or "").partition("/")[0])
    return [name for name in dict.fromkeys(found) if name and "@" not in name]
