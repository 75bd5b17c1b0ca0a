"""The operator's own certificate files: what would make clients refuse them."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from fleet import certificates
from fleet.certificates import UnusableError
from tests.fleet.tls_pairs import NOW, Made

ROOT = Made("Root")
MIDDLE = Made("Middle", by=ROOT)
HOST = Made("gpu-1", ["gpu-1.example", "*.fleet.example"], by=MIDDLE)
NAMES = ("gpu-1.example",)


def faults(*chain: Made, key: Made = HOST, names: tuple[str, ...] = NAMES) -> list[str]:
    pem = b"".join(one.pem for one in chain)
    return list(
        certificates.faults(certificates.read(pem), certificates.key(key.key_pem), names, NOW)
    )


@pytest.mark.parametrize("chain", [[HOST], [HOST, MIDDLE], [HOST, MIDDLE, ROOT]])
def test_a_chain_in_order_is_right(chain: list[Made]) -> None:
    assert faults(*chain) == []


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ([MIDDLE, HOST], "not first"),
        ([MIDDLE], "not for the key"),
        ([HOST, ROOT, MIDDLE], "`CN=gpu-1` was not issued by `CN=Root`"),
        ([HOST, ROOT], "out of order"),
    ],
)
def test_a_chain_that_clients_would_not_follow(chain: list[Made], said: str) -> None:
    [fault] = faults(*chain)
    assert said in fault


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (("gpu-1.example",), ""),
        (("GPU-1.example",), ""),
        (("a.fleet.example",), ""),
        (("a.b.fleet.example",), "a.b.fleet.example"),
        (("fleet.example",), "fleet.example"),
        (("gpu-1.example", "10.0.0.1"), "10.0.0.1"),
        ((), ""),
    ],
)
def test_names(names: tuple[str, ...], missing: str) -> None:
    found = faults(HOST, names=names)
    if not missing:
        assert found == []
    else:
        [fault] = found
        assert f"is not for {missing} (gateway_server_name), but for gpu-1.example, *." in fault


def test_a_certificate_without_alternative_names_is_for_no_name() -> None:
    bare = Made("gpu-1.example")
    [fault] = faults(bare, key=bare)
    assert "but for no name at all" in fault


def test_time() -> None:
    old, future = Made("old", NAMES, days=-1), Made("new", NAMES, begins=NOW + timedelta(days=1))
    assert "has expired: `CN=old` was good until 2026-11-27" in faults(old, key=old)[0]
    assert "is not good yet: `CN=new` will be from 2026-11-29" in faults(future, key=future)[0]
    issuer = Made("Middle", days=-1, by=ROOT)
    child = Made("gpu-1", NAMES, by=issuer)
    assert "has expired: `CN=Middle`" in faults(child, issuer, key=child)[0]


@pytest.mark.parametrize(
    ("days", "said"),
    [(20, ""), (14.5, ""), (13.5, "expires in 13 days"), (1.5, "expires in 36 hours"), (-1, "")],
)
def test_soon(days: float, said: str) -> None:
    chain = certificates.read(Made("a", days=days).pem + ROOT.pem)
    found = list(certificates.warnings(chain, NOW))
    assert [one.partition(",")[0] for one in found] == ([said] if said else [])


def test_what_is_good_for_days_only_is_not_always_about_to_expire() -> None:
    def warned(days: float) -> bool:
        short = Made("a", days=days, begins=NOW + timedelta(days=days - 6))
        return bool(list(certificates.warnings(certificates.read(short.pem), NOW)))

    assert [warned(days) for days in (4, 2.1, 1.9)] == [False, False, True]


def test_files_that_hold_something_else() -> None:
    with pytest.raises(UnusableError, match="no certificate"):
        certificates.read(HOST.key_pem)
    with pytest.raises(UnusableError, match="no private key"):
        certificates.key(HOST.pem)
    locked = HOST.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    with pytest.raises(UnusableError, match="passphrase"):
        certificates.key(locked)


def test_any_name_asks_for_none() -> None:
    assert certificates.names("_") == ()
    assert certificates.names("a.example b.example") == ("a.example", "b.example")
