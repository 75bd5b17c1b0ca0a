from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from agent.certificate import validity

BEGINS = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def made(ends: datetime, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = KEY) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a" * 60)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGINS)
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("ends", [BEGINS + timedelta(days=90), datetime(2060, 2, 29, tzinfo=UTC)])
def test_both_ways_to_write_a_time(ends: datetime) -> None:
    found = validity(b"# a comment\n" + made(ends))
    assert (found.begins, found.ends) == (BEGINS.timestamp(), ends.timestamp())


def test_a_large_key_and_the_first_of_a_chain() -> None:
    key = rsa.generate_private_key(65537, 2048)
    first, second = BEGINS + timedelta(days=1), BEGINS + timedelta(days=2)
    assert validity(made(first, key) + made(second)).ends == first.timestamp()


@pytest.mark.parametrize(
    "pem",
    [b"", b"\xff\xfe", made(BEGINS)[:90], made(BEGINS)[100:]],
    ids=["empty", "no text", "cut short", "no beginning"],
)
def test_no_certificate(pem: bytes) -> None:
    with pytest.raises(ValueError, match="no certificate"):
        validity(pem)


WHOLE = made(BEGINS + timedelta(days=9))


@given(st.integers(30, len(WHOLE) - 30), st.binary(min_size=1, max_size=4))
def test_garbage_is_an_error_and_nothing_else(place: int, garbage: bytes) -> None:
    try:
        validity(WHOLE[:place] + garbage + WHOLE[place + len(garbage) :])
    except ValueError as error:
        assert "certificate" in str(error)  # noqa: PT017
