"""A certificate authority of the operator's own: how it is made, and what it signs.

Where it lies is told by `local_ca_files`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fleet import certificates
from fleet.certificates import UnusableError

CA_VALID = timedelta(days=3650)
VALID = timedelta(days=397)  # what browsers accept at most, less one
RENEW = timedelta(days=30)
SKEW = timedelta(hours=1)  # a host's clock may be behind
SIGNS_ONLY = x509.KeyUsage(
    digital_signature=False,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Pair(msgspec.Struct, frozen=True):
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes


def authority(now: datetime) -> Pair:
    """Make a new authority."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = _name("Stoker local CA")
    made = (
        _builder(name, name, private, now, now + CA_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(SIGNS_ONLY, critical=True)
        .sign(private, hashes.SHA256())
    )
    return Pair(made.public_bytes(Encoding.PEM), _pem(private))


def wrong(found: Pair, now: datetime) -> str:
    """Say why an authority cannot sign; empty when it can."""
    try:
        chain, private = certificates.read(found.certificate), certificates.key(found.key)
    except UnusableError as error:
        return str(error)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        return "has a key of another kind; it was not made here"
    sentence = next(certificates.faults(chain[:1], private, (), now), "")
    return sentence.replace("the key in gateway_tls_key_file", "its key")


def good(known: Pair, signer: Pair, names: Sequence[str], now: datetime) -> bool:
    """Tell whether a certificate can stay: right names, this authority, good for long enough."""
    try:
        one, private = certificates.read(known.certificate)[0], certificates.key(known.key)
    except UnusableError:
        return False
    chain = [one, certificates.read(signer.certificate)[0]]
    bad = next(certificates.faults(chain, private, names, now), None)
    return bad is None and one.not_valid_after_utc - now > RENEW


def signed(by: Pair, host: str, names: Sequence[str], now: datetime) -> Pair:
    """Make a key and a certificate for these names."""
    issuer, signer = certificates.read(by.certificate)[0], certificates.key(by.key)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    private = ec.generate_private_key(ec.SECP256R1())
    ends = min(now + VALID, issuer.not_valid_after_utc)
    known = [
        x509.IPAddress(ip_address(name)) if certificates.address(name) else x509.DNSName(name)
        for name in names
    ]
    made = (
        _builder(_name(host[:64]), issuer.subject, private, now, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(known), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
    return Pair(made.public_bytes(Encoding.PEM), _pem(private))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    private: ec.EllipticCurvePrivateKey,
    now: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    public = private.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
