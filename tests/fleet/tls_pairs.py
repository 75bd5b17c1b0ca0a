"""Certificates and keys to test with, made in a moment."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Made:
    """A certificate with its key, signed by another one or by itself."""

    def __init__(
        self,
        common: str,
        names: Sequence[str] = (),
        days: float = 300,
        by: "Made | None" = None,
        begins: datetime = NOW - timedelta(days=60),
    ) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(by.name if by else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(NOW + timedelta(days=days))
        )
        if names:
            known = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(known, critical=False)
        self.certificate = builder.sign((by or self).key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def good(directory: Path, *names: str, name: str = "tls") -> dict[str, str]:
    """Write a pair that is good in any year; return the keys of the spec that name it."""
    made = Made("test", names, days=36500)
    for ending, content in (("crt", made.pem), ("key", made.key_pem)):
        path = directory / f"{name}.{ending}"
        path.write_bytes(content)
        path.chmod(0o600)
    return {
        "gateway_tls_cert_file": str(directory / f"{name}.crt"),
        "gateway_tls_key_file": str(directory / f"{name}.key"),
    }
