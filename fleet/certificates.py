"""Certificate files of the operator: do they fit together, the gateway's name, and today? Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

SOON = timedelta(days=14)
ANY_NAME = "_"


class UnusableError(ValueError):
    """A file cannot be used; the text goes on where the file was named."""


def names(server_name: str) -> tuple[str, ...]:
    """Return the names that a certificate must be for; none when any name will do."""
    return tuple(name for name in server_name.split() if name != ANY_NAME)


def read(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a file; raise `UnusableError`."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise UnusableError("holds no certificate in PEM") from error


def key(pem: bytes) -> PrivateKeyTypes:
    """Return the private key of a file; raise `UnusableError`."""
    try:
        return load_pem_private_key(pem, None)
    except TypeError as error:
        raise UnusableError(
            "is protected by a passphrase, which nginx could not ask for"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableError("holds no private key in PEM") from error


def faults(
    chain: Sequence[x509.Certificate],
    private: PrivateKeyTypes,
    wanted: Sequence[str],
    now: datetime,
) -> Iterator[str]:
    """Yield one sentence for each reason why clients would refuse this certificate."""
    public = _bytes(private)
    if _bytes(chain[0]) != public:
        if any(_bytes(one) == public for one in chain[1:]):
            yield "has the host's own certificate not first: put it before those of its issuers"
        else:
            yield "is not for the key in gateway_tls_key_file"
        return
    for one, issuer in pairwise(chain):
        if not _issued(one, issuer):
            yield (
                f"is out of order: {_who(one)} was not issued by {_who(issuer)}, which comes after "
                "it; put each one's issuer next"
            )
            break
    for one in chain:
        if one.not_valid_after_utc <= now:
            yield f"has expired: {_who(one)} was good until {_day(one.not_valid_after_utc)}"
        elif one.not_valid_before_utc > now:
            yield f"is not good yet: {_who(one)} will be from {_day(one.not_valid_before_utc)}"
    if missing := [name for name in wanted if not covers(chain[0], name)]:
        yield (
            f"is not for {', '.join(missing)} (gateway_server_name), but for "
            f"{', '.join(_names(chain[0])) or 'no name at all'}"
        )


def warnings(chain: Sequence[x509.Certificate], now: datetime) -> Iterator[str]:
    """Yield a sentence when the first that expires does so soon."""
    first = min(chain, key=lambda one: one.not_valid_after_utc)
    life = first.not_valid_after_utc - first.not_valid_before_utc
    left = first.not_valid_after_utc - now
    if timedelta() < left < min(SOON, life / 3):
        days = f"{left.days} days" if left.days > 1 else f"{left.total_seconds() // 3600:.0f} hours"
        yield f"expires in {days}, on {_day(first.not_valid_after_utc)}; get a new one"


def covers(certificate: x509.Certificate, name: str) -> bool:
    """Tell whether a client that asks for `name` accepts the certificate (RFC 9525, 6.3)."""
    parent = name.lower().partition(".")[2]
    for known in _names(certificate):
        if known.lower() == name.lower() or (parent and known.lower() == f"*.{parent}"):
            return True
    return False


def address(name: str) -> bool:
    """Tell whether a name is an IP address."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def _issued(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        one.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _bytes(of: x509.Certificate | PrivateKeyTypes) -> bytes:
    return of.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _who(certificate: x509.Certificate) -> str:
    return f"`{certificate.subject.rfc4514_string() or 'no subject'}`"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
