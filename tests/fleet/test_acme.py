"""What certbot is told, and when."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from agent.spec import GatewaySpec
from fleet import acme
from fleet.acme import Lineage
from fleet.facts.acme import AcmeLineage
from fleet.facts.paths import PathStates
from fleet.operations.acme import acme_certificate, acme_off, self_signed
from tests.fleet.samples import FakeHost, commands
from tests.fleet.tls_pairs import NOW

SPEC = GatewaySpec(tls="acme", server_name="gpu-1.example api.example", acme_email="ops@example")
OUTPUT = [
    "server = https://acme-v02.api.letsencrypt.org/directory",
    "notBefore=Nov  8 12:00:00 2026 GMT",
    "notAfter=Feb  6 12:00:00 2027 GMT",
    "X509v3 Subject Alternative Name: ",
    "    DNS:gpu-1.example, DNS:api.example",
    "placed",
]
HAS = AcmeLineage().process(OUTPUT)


def test_what_the_node_says_is_read() -> None:
    assert HAS.server == SPEC.acme_directory
    assert HAS.names == {"gpu-1.example", "api.example"}
    assert HAS.begins == NOW - timedelta(days=20)
    assert HAS.ends == NOW + timedelta(days=70)
    assert HAS.placed
    assert AcmeLineage().process([]) == Lineage()


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, True),
        ({"server": "https://other.example/dir"}, False),
        ({"names": frozenset({"gpu-1.example"})}, False),
        ({"ends": NOW + timedelta(days=5), "begins": NOW - timedelta(days=85)}, False),
        ({"ends": NOW + timedelta(days=20), "begins": NOW - timedelta(days=70)}, True),
        ({"ends": NOW + timedelta(days=2), "begins": NOW - timedelta(days=4)}, True),
        ({"ends": NOW - timedelta(days=1)}, False),
        ({"ends": None}, False),
    ],
)
def test_whether_it_is_the_one_wanted(change: dict[str, Any], wanted: bool) -> None:
    found = msgspec.structs.replace(HAS, **change)
    assert found.wanted(SPEC, NOW) is wanted


def test_certbot_is_told_everything_and_no_secret() -> None:
    command = acme.certbot(SPEC, Lineage())
    assert command[:2] == ["certbot", "certonly"]
    line = " ".join(command)
    assert "--email ops@example" in line
    assert line.endswith("--keep-until-expiring -d gpu-1.example -d api.example")
    assert "--renew-with-new-domains" not in line
    nobody = acme.certbot(msgspec.structs.replace(SPEC, acme_email=None), HAS)
    assert "--register-unsafely-without-email" in nobody
    assert "--renew-with-new-domains" in nobody


def test_another_server_means_another_certificate_at_once() -> None:
    moved = msgspec.structs.replace(SPEC, acme_directory="https://other.example/dir")
    assert "--force-renewal" in acme.certbot(moved, HAS)
    assert "--force-renewal" not in acme.certbot(moved, Lineage())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpu-1.example", ""),
        ("_", "needs the name that clients use"),
        ("10.0.0.1", "'10.0.0.1'"),
        ("*.example.org", "'*.example.org'"),
        ("gpu-1", "'gpu-1'"),
        ("a.example gpu-1", "'gpu-1'"),
    ],
)
def test_names_that_can_be_validated(name: str, said: str) -> None:
    found = acme.faults(GatewaySpec(tls="acme", server_name=name))
    assert [said in one for one in found] == ([True] if said else [])


def test_a_certificate_that_certbot_has_is_placed_where_that_was_missed() -> None:
    now_on = msgspec.structs.replace(HAS, ends=NOW + timedelta(days=36500))
    host = FakeHost({AcmeLineage: now_on})
    assert commands(host, lambda: acme_certificate._inner(settings=SPEC)) == []
    assert host.noops
    host = FakeHost({AcmeLineage: msgspec.structs.replace(now_on, placed=False)})
    [command] = commands(host, lambda: acme_certificate._inner(settings=SPEC))
    assert str(command) == "RENEWED_LINEAGE=/etc/letsencrypt/live/stoker /etc/stoker/acme-deployed"


def test_a_first_certificate_only_where_there_is_none() -> None:
    there = {"/etc/stoker/tls.crt": object(), "/etc/stoker/secrets/tls.key": object()}
    host = FakeHost({PathStates: there})
    assert commands(host, lambda: self_signed._inner(names=["a.example"])) == []
    host = FakeHost({PathStates: {}})
    [command] = commands(host, lambda: self_signed._inner(names=["a.example", "b.example"]))
    assert "DNS:a.example,DNS:b.example" in str(command)


def test_without_acme_certbot_forgets() -> None:
    host = FakeHost({PathStates: {}})
    assert commands(host, acme_off._inner) == []
    there = {acme.HOOK: object(), acme.RENEWAL: object()}
    said = commands(FakeHost({PathStates: there}), acme_off._inner)
    assert [str(one).split()[0] for one in said] == ["certbot", "rm"]
    said = commands(FakeHost({PathStates: {acme.HOOK: object()}}), acme_off._inner)
    assert [str(one).split()[0] for one in said] == ["rm"]
