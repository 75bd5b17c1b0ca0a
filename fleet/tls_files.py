"""What the control machine can tell about the gateway's certificate."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from agent.spec import GatewaySpec
from fleet import acme, certificates, local_ca_files
from fleet.certificates import UnusableError
from fleet.release import given

Look = Callable[..., list[str]]  # of `control_files`: key, path, and whether it is secret


def faults(gateway: GatewaySpec, look: Look, now: datetime | None = None) -> list[str]:
    """Return one sentence for each thing that keeps the gateway from getting its certificate."""
    match gateway.tls:
        case "local-ca" if given.release() is not None:
            return []  # the authority stays on the control machine
        case "local-ca":
            return local_ca_files.faults(Path(gateway.local_ca_dir))
        case "acme":
            trusted = gateway.acme_ca_file
            found = look("gateway_acme_ca_file", trusted, secret=False) if trusted else []
            return [*acme.faults(gateway), *(found or _trusted(trusted))]
    missing = look("gateway_tls_cert_file", gateway.tls_cert_file, secret=False)
    missing += look("gateway_tls_key_file", gateway.tls_key_file)
    return missing or _pair(gateway, now or datetime.now(UTC))


def warnings(gateway: GatewaySpec, now: datetime | None = None) -> list[str]:
    """Return a sentence when the operator's certificate expires soon; faults are told elsewhere."""
    if gateway.tls != "files":
        return []
    try:
        chain = certificates.read(given.place(gateway.tls_cert_file).read_bytes())
    except (OSError, UnusableError):
        return []
    said = f"gateway_tls_cert_file = {gateway.tls_cert_file!r}: "
    return [f"{said}{one}" for one in certificates.warnings(chain, now or datetime.now(UTC))]


def _pair(gateway: GatewaySpec, now: datetime) -> list[str]:
    said = f"gateway_tls_cert_file = {gateway.tls_cert_file!r}: "
    try:
        chain = certificates.read(given.place(gateway.tls_cert_file).read_bytes())
    except UnusableError as error:
        return [f"{said}{error}"]
    try:
        private = certificates.key(given.place(gateway.tls_key_file).read_bytes())
    except UnusableError as error:
        return [f"gateway_tls_key_file = {gateway.tls_key_file!r}: {error}"]
    names = certificates.names(gateway.server_name)
    return [f"{said}{one}" for one in certificates.faults(chain, private, names, now)]


def _trusted(path: str | None) -> list[str]:
    try:
        certificates.read(given.place(path).read_bytes() if path else b"")
    except UnusableError as error:
        return [f"gateway_acme_ca_file = {path!r}: {error}"] if path else []
    return []
