"""HAProxy on a host of its own before three nodes: what clients of it notice when nodes go.

STOKER_E2E_BALANCED names another fleet than `balanced`; STOKER_E2E_KEEP=1 takes it as it is, and
leaves it there.
"""

import json
import os
import re
import secrets
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.faults import Node
from tests.e2e.world import World, wait_for
from tests.sandbox.balanced import Balanced, Door
from tests.sandbox.fleet import Fleet
from tests.sandbox.gateway import Gateway
from tests.sandbox.layout import DOMAIN

pytestmark = pytest.mark.timeout(900)
FLEET = os.environ.get("STOKER_E2E_BALANCED", "balanced")
KEEP = os.environ.get("STOKER_E2E_KEEP") == "1"
LB = "lb-1"
CLIENTS = 24
SLOW = {"STOKER_SIM_FAULTS": json.dumps({"tokens_per_second": 20.0, "load_seconds": 2.0})}
SILENCE = 5.0  # seconds: balancer_agent_silence of the sandbox
LOG = "journalctl -u haproxy -o cat --since @{since:.0f}"


class Site(World):
    """The fleet, with a client of its balancer."""

    @property
    def nodes(self) -> list[str]:
        """The hosts with engines."""
        return [host for host in self.hosts if not host.startswith("lb-")]

    @property
    def pair(self) -> list[str]:
        """The balancers."""
        return [host for host in self.hosts if host.startswith("lb-")]

    @property
    def balancer(self) -> Gateway:
        return self.gateway(LB)

    def answers_at(self, address: str) -> bool:
        """Say whether the balancer that has this address answers, by the name of both."""
        name, key = f"{LB}.{DOMAIN}", (self.directory / "api-key").read_text().split()[-1]
        command = ["curl", "-sSf", "-m", "5", "--cacert", str(self.directory / "ca.pem"), "-K", "-"]
        command += ["--resolve", f"{name}:443:{address}", f"https://{name}/v1/models"]
        said = f'header = "Authorization: Bearer {key}"'
        done = subprocess.run(command, input=said, text=True, capture_output=True, check=False)
        if done.returncode:
            raise AssertionError(done.stderr)
        return '"data"' in done.stdout

    def door(self) -> Door:
        tls = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        key = (self.directory / "api-key").read_text().split()[-1]
        return Door(f"{LB}.{DOMAIN}", self.address(LB), tls, lambda: key)

    def wish(self, **data: Any) -> None:
        """Change data of the balancers, which go by one name."""
        slow = {"engine_environment": SLOW}
        tls = self.directory / "tls"
        one_name = {
            "balancer_server_name": f"{LB}.{DOMAIN}",
            "balancer_tls_cert_file": str(tls / f"{LB}.crt"),
            "balancer_tls_key_file": str(tls / f"{LB}.key"),
        }
        wanted = dict.fromkeys(self.nodes, slow) | dict.fromkeys(self.pair, one_name | data)
        (self.directory / "data.json").write_text(json.dumps(wanted))

    def deployed(self) -> list[str]:
        """Deploy; return what was changed."""
        run = self.deploy()
        assert run.code == 0, run.output[-3000:]
        return run.changed

    def log(self, since: float) -> list[dict[str, Any]]:
        """Return what the balancer logged since then: a line a request."""
        lines = self.shell(LB, LOG.format(since=since)).splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def states(self) -> dict[str, str]:
        """Return how HAProxy sees each node."""
        url = f"http://{self.address(LB)}:8405/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            text = answer.read().decode()
        form = r'haproxy_server_status\{proxy="([^"]+)",server="([^"]+)",state="([^"]+)"\} 1'
        return {
            host: state for proxy, host, state in re.findall(form, text) if proxy != "all-hosts"
        }

    def becomes(self, host: str, state: str, seconds: float) -> None:
        wait_for(f"{host} is {state}", lambda: self.states()[host] == state, seconds)

    def arrived(self, host: str, since: float, after: float) -> list[float]:
        """Return when requests were sent to a host, in seconds beyond `after`."""
        found = (one["at_ms"] / 1000 - after for one in self.log(since) if one["host"] == host)
        return sorted(one for one in found if one > 0)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    fleet = Fleet(FLEET)
    if not KEEP:
        fleet.down(purge=True)
        fleet.up()
    made = Site(fleet)
    made.wish()
    made.deployed()
    try:
        yield made
    finally:
        if not KEEP:
            fleet.down(purge=True)


@pytest.fixture
def well(site: Site) -> Site:
    """All nodes serve, and the balancer knows."""
    for host in site.nodes:
        Node(site, host).serves(60)
    for host in site.nodes:
        site.becomes(host, "UP", 10)
    return site


@contextmanager
def load(site: Site) -> Iterator[Balanced]:
    """Keep requests under way; all of them have ended behind it."""
    with Balanced({LB: site.door()}, CLIENTS) as balanced:
        time.sleep(5.0)
        yield balanced


def test_a_second_deploy_changes_nothing_and_the_host_is_like_any_other(well: Site) -> None:
    assert well.deployed() == []
    report = json.loads(well.shell(LB, "stoker-release drift --json --report-only"))
    assert report.get("findings", []) == []
    assert well.status(LB)["roles"] == ["balancer"]
    assert well.status(LB)["reason"] == "NoEngines"
    for absent in ("docker", "nginx"):
        assert well.shell(LB, f"command -v {absent} || echo none") == "none"


def test_clients_are_served_and_known_by_their_own_address(well: Site) -> None:
    since = time.time()
    text = well.balancer.stream("Go on", max_tokens=20).text()
    assert len(text) > 20
    answer = well.balancer.request("GET", "/v1/models")
    assert answer.status == 200
    assert well.balancer.request("GET", "/v1/models", key="sk-no").status == 401
    assert well.balancer.request("POST", "/nope/v1/chat/completions", {}).status == 404
    outside = str(well.fleet.layout.subnet.network_address + 1)
    line = next(one for one in well.log(since) if one["path"] == "/v1/models")
    assert line["client"] == outside
    seen = well.shell(line["host"], "tail -n 50 /var/log/nginx/stoker.access.log").splitlines()
    mine = next(one for one in map(json.loads, seen) if one["id"] == line["id"])
    assert mine["address"] == outside
    key = (well.directory / "api-key").read_text().split()[-1]
    assert key not in well.shell(LB, "journalctl -u haproxy; cat /etc/stoker/haproxy.cfg")


def test_a_drain_loses_nothing_and_nothing_new_comes(well: Site) -> None:
    first = well.nodes[0]
    with load(well) as balanced:
        begun = time.time()
        well.shell(first, "stokerctl drain main --by tester --reason e2e")
        drained = time.time()
        time.sleep(6.0)
        late = well.arrived(first, begun, drained)
        assert not [one for one in late if one > 1.0], late
        assert well.states()[first] != "UP"
        well.shell(first, "stokerctl undrain main --by tester --reason e2e")
        undrained = time.time()
        well.becomes(first, "UP", 15)
        time.sleep(4.0)
        assert well.arrived(first, begun, undrained)
    assert balanced.tally.lost == []
    assert len(balanced.tally.answered) > CLIENTS


def test_an_agent_killed_while_it_drains_leaves_nobody_out_for_ever(well: Site) -> None:
    first = well.nodes[0]
    talk = well.gateway(first).stream("Go on", max_tokens=100)  # 5 s
    well.shell(first, "stokerctl drain main --by tester --reason e2e")
    well.shell(first, "systemctl kill -s KILL stoker-agent")
    assert talk.text()
    wait_for("it is out", lambda: well.states()[first] != "UP", 5)
    wait_for("the agent is back", lambda: well.phase(first) == "DRAINED", 20)
    well.shell(first, "stokerctl undrain main --by tester --reason e2e")
    well.becomes(first, "UP", 20)

    # One that does not come back: the gate that a person opens is believed after a while.
    well.shell(first, "stokerctl drain main --wait 30 --by tester --reason e2e")
    wait_for("it is out", lambda: well.states()[first] != "UP", 5)
    well.shell(first, "systemctl stop stoker-agent")
    time.sleep(SILENCE + 3)
    assert well.states()[first] != "UP"
    well.shell(first, "touch /run/stoker/gates/main.open")
    begun = time.time()
    well.becomes(first, "UP", SILENCE + 10)
    for _ in range(6 * len(well.nodes)):
        assert well.balancer.chat("Are you there?", max_tokens=3).status == 200
    assert well.arrived(first, begun, begun)
    well.shell(first, "systemctl start stoker-agent")
    wait_for("it is out", lambda: well.states()[first] != "UP", 20)  # the agent's word counts again
    well.shell(first, "stokerctl undrain main --by tester --reason e2e")


def test_a_reload_loses_nothing_and_lets_nobody_back_in(well: Site) -> None:
    first = well.nodes[0]
    well.shell(first, "stokerctl drain main --wait 30 --by tester --reason e2e")
    wait_for("it is out", lambda: well.states()[first] != "UP", 5)
    begun = time.time()
    with load(well) as balanced:
        well.wish(balancer_retry_after=3)
        changed = well.deployed()
        assert any("run haproxy with this" in one for one in changed), changed
        well.shell(LB, "systemctl reload haproxy; sleep 2; systemctl reload haproxy")
        time.sleep(2.0)
    assert balanced.tally.lost == []
    assert well.arrived(first, begun, begun) == []
    well.shell(first, "stokerctl undrain main --by tester --reason e2e")


def test_what_somebody_changes_is_put_right(well: Site) -> None:
    well.shell(LB, "echo '# mine' >>/etc/stoker/haproxy.cfg; systemctl stop haproxy")
    well.shell(LB, "stoker-release drift", check=False, deadline=120)
    assert "# mine" not in well.shell(LB, "cat /etc/stoker/haproxy.cfg")
    wait_for("it answers", lambda: well.balancer.request("GET", "/healthz").status == 200, 10)


def test_a_gpu_that_falls_off_the_bus_stops_new_requests_within_a_second(well: Site) -> None:
    sick = Node(well, well.nodes[0])
    try:
        with load(well) as balanced:
            begun = time.time()
            sick.xid(79, "GPU has fallen off the bus.")
            fell = time.time()
            time.sleep(8.0)
            late = well.arrived(sick.host, begun, fell)
            assert not [one for one in late if one > 1.0], late
            assert well.states()[sick.host] != "UP"
        by_id = {one["id"]: one["host"] for one in well.log(begun - 60)}
        lost = [re.findall(r"\[(\w[\w-]*)?\]$", one)[0] for one in balanced.tally.lost]
        # What was in flight there is lost with the GPU, and nothing elsewhere.
        assert {by_id.get(one, "?") for one in lost} <= {sick.host}, balanced.tally.lost
        assert len(lost) <= CLIENTS
    finally:
        well.fleet.reboot_host(sick.host)
        sick.serves(120)
        sick.forget()  # the same fault again would be one for a person


def test_two_balancers_share_an_address(well: Site) -> None:
    """One of them has it, and the other takes it when HAProxy, or the host, is gone."""
    if len(well.pair) < 2:
        pytest.fail("this fleet has no pair of balancers")
    shared = str(well.fleet.layout.subnet.network_address + 100)
    well.wish(balancer_vip=f"{shared}/24", balancer_vip_id=100 + secrets.randbelow(100))
    well.deployed()

    def holders() -> list[str]:
        return [one for one in well.pair if well.shell(one, f"ip -o addr show to {shared}")]

    def has(host: str) -> None:
        def there() -> bool:
            if (found := holders()) != [host]:
                raise AssertionError(f"it is at {found}")
            return True

        wait_for(f"{host} alone has the address", there, 30)
        wait_for("it answers", lambda: well.answers_at(shared), 10)

    try:
        [first] = wait_for("one has it", lambda: holders() if len(holders()) == 1 else None, 30)
        [second] = [one for one in well.pair if one != first]
        has(first)
        assert well.deployed() == []
        well.shell(first, "systemctl stop haproxy")
        has(second)
        well.shell(first, "systemctl start haproxy")
        time.sleep(5.0)
        has(second)  # who has it keeps it
        well.fleet.reboot_host(second)
        has(first)
    finally:
        well.wish()
        well.deployed()
    wait_for("nobody has the address", lambda: not holders(), 20)
