"""Keys that change under traffic, certificates of three kinds, and streams that break."""

import contextlib
import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.faults import Node
from tests.e2e.talk import Talk
from tests.e2e.world import Run, World, wait_for
from tests.fleet.tls_pairs import NOW, Made
from tests.sandbox.acme import Acme
from tests.sandbox.gateway import Gateway
from tests.sandbox.layout import DOMAIN

LIVE = "/etc/stoker/tls.crt"
# certbot asks the server with these settings, as its timer would.
RENEW = "certbot -q renew --force-renewal --no-random-sleep-on-renew"
TOKENS = 1000  # 20 s: longer than a deploy


def key(letter: str) -> str:
    return f"sk-test-{letter * 24}"


class Certified:
    """The first host, its keys file, and deploys with settings of the tests here."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world, self.host = world, world.hosts[0]
        self.node, self.name = Node(world, self.host), f"{self.host}.{DOMAIN}"
        self.keys, self.ca = directory / "keys", directory / "ca"

    def write(self, *lines: str) -> None:
        """Write the keys file; the fleet's own key stays good."""
        own = (self.world.directory / "api-key").read_text().strip()
        self.keys.touch(mode=0o600)
        self.keys.write_text("\n".join([f"own {own}", *lines]) + "\n")

    def deploy(self, **settings: object) -> Run:
        """Deploy the first host with these settings and the keys file."""
        told = {"gateway_keys_file": self.keys, **settings}
        data = [part for name, value in told.items() for part in ("--data", f"{name}={value}")]
        return self.world.deploy("--limit", self.host, *data)

    def client(self, ca: str | Path | None, secret: str = "") -> Gateway:
        """Return a client that trusts this authority; None: whomever."""
        made = self.world.gateway(self.host)
        if secret:
            made.key = secret
        made._tls = _trust(ca)
        made._tls.check_hostname = False  # it goes by address; `served` looks at the name
        return made

    def status(self, secret: str) -> int:
        """Return what a request with this key is answered."""
        return self.world.gateway(self.host).request("GET", "/v1/models", key=secret).status

    def served(self, ca: str | Path) -> dict[str, object]:
        """Return the certificate that nginx shows, checked for the gateway's name."""
        with (
            socket.create_connection((self.world.address(self.host), 443), timeout=5) as plain,
            _trust(ca).wrap_socket(plain, server_hostname=self.name) as secure,
        ):
            return dict(secure.getpeercert() or {})

    def value(self, name: str) -> float:
        """Return the value of a metric of the agent; 0 when there is none."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.node.get("/metrics")[1], re.MULTILINE)
        return float(found.group(1)) if found else 0.0


def _trust(ca: str | Path | None) -> ssl.SSLContext:
    if ca is None:
        return ssl._create_unverified_context()
    text = ca.read_text() if isinstance(ca, Path) else ca
    return ssl.create_default_context(cadata=text)


@pytest.fixture(scope="module")
def certified(
    first: tuple[World, Run], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Certified]:
    """The first host; at the end it has the fleet's key and certificate again."""
    found = Certified(first[0], tmp_path_factory.mktemp("certified"))
    wait_for("it serves", lambda: found.world.phase(found.host) == "SERVING", 60)
    yield found
    done = found.world.deploy("--limit", found.host)
    assert done.code == 0, done.output
    assert "stoker" not in found.node.shell("ls /etc/letsencrypt/renewal; true")


def test_keys_are_added_limited_disabled_and_run_out(certified: Certified) -> None:
    yesterday, tomorrow = (f"{datetime.now(UTC) + timedelta(days=n):%Y-%m-%d}" for n in (-1, 1))
    certified.write(
        f"alice {key('a')}",
        f"alice {key('n')}",
        f"bob {key('b')} disabled",
        f"carol {key('c')} expires={yesterday}",
        f"dave {key('d')} expires={tomorrow}",
        f"erin {key('e')} requests_per_second=0.1 burst=1",
        *(f"client-{number} {key('x')}{number}" for number in range(3000)),
    )
    done = certified.deploy()
    assert done.code == 0, done.output
    assert not any("restart" in one for one in done.changed)
    good = [certified.status(key(letter)) for letter in "and"]
    assert good == [200, 200, 200]
    assert certified.status(f"{key('x')}2999") == 200
    wrong = [certified.world.gateway(certified.host).request("GET", "/v1/models", key=secret)
             for secret in (key("b"), key("c"), key("z"))]  # fmt: skip
    assert [one.status for one in wrong] == [401, 401, 401]
    assert len({one.json()["error"]["message"] for one in wrong}) == 1
    assert [certified.status(key("e")) for _ in range(3)] == [200, 200, 429]
    assert certified.status(key("a")) == 200


def test_an_expired_key_is_refused_without_a_deploy(certified: Certified) -> None:
    """nginx compares the time itself: here with a last day that is set back by hand."""
    path = "/etc/stoker/secrets/gateway-keys.conf"
    certified.node.shell(f"cp -p {path} /root/keys.conf")
    assert certified.status(key("d")) == 200
    try:
        certified.node.shell(f'sed -i \'s/"~^(?:.*)" " expired"/"~^(?:1)" " expired"/\' {path}')
        certified.node.shell("systemctl reload nginx")
        wait_for("a refusal", lambda: certified.status(key("d")) == 401, 5)
        assert certified.status(key("a")) == 200
    finally:
        certified.node.shell(f"cp -p /root/keys.conf {path} && systemctl reload nginx")


def test_a_rotation_and_a_local_authority_under_an_open_stream(certified: Certified) -> None:
    client = certified.client(certified.world.directory / "ca.pem", key("a"))
    stream = Talk(client.stream("On and on", max_tokens=TOKENS))
    certified.write(f"alice {key('a')} disabled", f"alice {key('n')}")
    done = certified.deploy(gateway_tls="local-ca", gateway_local_ca_dir=certified.ca)
    assert done.code == 0, done.output
    assert f"{certified.ca}/ca.crt" in done.output
    assert (certified.ca / "ca.key").stat().st_mode & 0o077 == 0
    shown = certified.served(certified.ca / "ca.crt")
    assert ("DNS", certified.name) in shown["subjectAltName"]  # type: ignore[operator]
    with pytest.raises(ssl.SSLCertVerificationError):
        certified.served(certified.world.directory / "ca.pem")
    for secret, status in ((key("n"), 200), (key("a"), 401)):
        client = certified.client(certified.ca / "ca.crt", secret)
        assert client.request("GET", "/v1/models").status == status
    stream.ends_whole(TOKENS)
    assert certified.deploy(gateway_tls="local-ca", gateway_local_ca_dir=certified.ca).changed == []


def test_acme(certified: Certified) -> None:
    server = Acme(certified.world.fleet.layout)
    server.start()
    settings = {
        "gateway_tls": "acme",
        "gateway_acme_directory": server.directory,
        "gateway_acme_ca_file": certified.world.directory / "ca.pem",
        "gateway_acme_email": "ops@example.org",
    }
    done = certified.deploy(**settings)
    assert done.code == 0, done.output
    first = certified.served(server.root())
    assert first["subjectAltName"] == (("DNS", certified.name),)
    assert certified.deploy(**settings).changed == []

    stream = Talk(certified.client(server.root()).stream("On and on", max_tokens=300))
    trust = "REQUESTS_CA_BUNDLE=/etc/stoker/acme-ca.pem"
    assert trust in certified.node.shell("systemctl show -p Environment certbot.service")
    certified.node.shell(f"{trust} {RENEW}")
    wait_for(
        "the new certificate",
        lambda: certified.served(server.root())["serialNumber"] != first["serialNumber"],
        10,
    )
    stream.ends_whole(300)
    assert certified.node.shell("systemctl is-active certbot.timer") == "active"

    refused = certified.deploy(**settings | {"gateway_acme_directory": f"{server.directory}/no"})
    assert refused.code == 1
    assert (
        f"gateway_acme_directory = '{server.directory}/no' gave no certificate: " in refused.output
    )
    assert "<Response [404]>" in refused.output
    assert certified.client(server.root()).request("GET", "/healthz").status == 200


def test_a_certificate_that_is_about_to_expire_is_told(certified: Certified) -> None:
    node, now = certified.node, datetime.now(UTC)
    days = (now - NOW) / timedelta(days=1) + 5.5
    short = Made(certified.name, days=days, begins=now - timedelta(days=80))
    node.shell(f"cp -p {LIVE} /root/live.crt")
    try:
        node.shell(f"echo '{short.pem.decode()}' >{LIVE}")
        told = wait_for("a condition", lambda: node.condition("CertificateExpiring"), 10)
        assert "expires in 5 days" in told["message"]
        assert (told["status"], told["remedy"]) == ("warn", "none")
        assert 5.4 < certified.value("stoker_certificate_expiry_seconds") / 86400 < 5.6
        assert node.state()["phase"] == "SERVING"
    finally:
        node.shell(f"cp -p /root/live.crt {LIVE}")
    wait_for("it is over", lambda: not node.condition("CertificateExpiring"), 10)


def test_streams_that_an_engine_breaks_off_are_counted(certified: Certified) -> None:
    node = certified.node
    ends = 'stoker_gateway_streams_total{{end="{}",engine="main"}}'
    before = {end: certified.value(ends.format(end)) for end in ("broken", "left")}
    left = certified.client(None).stream("On and on", max_tokens=500)
    next(iter(left))
    left._pieces.close()  # type: ignore[attr-defined]
    wait_for("it left", lambda: certified.value(ends.format("left")) == before["left"] + 1, 10)
    pid = node.pid()
    streams = [certified.client(None).stream("On", max_tokens=3000) for _ in range(4)]
    node.shell(f"kill -9 {pid}")
    for stream in streams:
        with contextlib.suppress(OSError, http.client.HTTPException):
            list(stream)
        assert not stream.finished
    wait_for("broken", lambda: certified.value(ends.format("broken")) == before["broken"] + 4, 10)
    told = wait_for("a condition", lambda: node.condition("StreamsBroken"), 10)
    assert told["subject"] == "engine:main"
    assert told["remedy"] == "none"
    wait_for("it serves", lambda: node.state()["phase"] == "SERVING", 90)
