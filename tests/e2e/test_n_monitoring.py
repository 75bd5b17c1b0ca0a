"""Hosts that watch hosts: alerts fire on planted faults, reach somebody, and clear after.

STOKER_E2E_KEEP=1 takes the fleet as it is and leaves it there; STOKER_E2E_WATCHED names another
than `watched`. Tests of what nodes say need one that serves, those of `eyes` need none.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.e2e import watched
from tests.e2e.faults import Node
from tests.e2e.plants import PLANTS, SPEC
from tests.e2e.watched import CONF, Eye
from tests.e2e.world import World, wait_for
from tests.sandbox.fleet import Fleet

KEEP = os.environ.get("STOKER_E2E_KEEP") == "1"
FLEET = os.environ.get("STOKER_E2E_WATCHED", "watched")
TOKEN = "a-token-of-the-receiver"
# Nodes that are done soon, and one key with which much can be asked at once. Nobody sets their
# clock, which is a finding that would stand all the time.
IMPATIENT = {
    "check_off": ["clock"],
    "agent_companion_window": 2,
    "agent_backoff": 1,
    "engine_drain_deadline": 15,
    "gateway_requests_per_second": 1000,
    "gateway_burst": 1000,
    "gateway_connections_per_key": 1000,
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    fleet = Fleet(FLEET)
    names = tuple(host.name for host in fleet.layout.hosts)
    if not KEEP:
        fleet.down(purge=True)
        fleet.up(*names)
    made = World(fleet)
    token = made.directory / "receiver-token"
    token.touch(mode=0o600)
    token.write_text(TOKEN + "\n")
    told = {
        "monitoring_webhook_url": "http://127.0.0.1:9799/",
        "monitoring_webhook_token_file": str(token),
    }
    eyes = [host for host in made.hosts if host.startswith("eye-")]
    nodes = [host for host in made.hosts if not host.startswith(("eye-", "lb-"))]
    watched.wishes(made, dict.fromkeys(eyes, told) | dict.fromkeys(nodes, IMPATIENT))
    run = made.deploy()
    assert run.code == 0, run.output
    yield made
    if not KEEP:
        fleet.down(purge=True)


@pytest.fixture(scope="module")
def eyes(world: World) -> list[Eye]:
    return [Eye(world, host) for host in world.hosts if host.startswith("eye-")]


@pytest.fixture(scope="module")
def nodes(world: World) -> list[Node]:
    found = [Node(world, host) for host in world.hosts if not host.startswith(("eye-", "lb-"))]
    if not found:
        pytest.fail("this fleet has no node that serves")
    for node in found:
        node.heal()
    return found


@pytest.fixture(scope="module")
def eye(eyes: list[Eye]) -> Iterator[Eye]:
    """The first, which does not wait; in the end it is as deployed again."""
    first = eyes[0]
    first.listen()
    first.hurry()
    yield first
    run = first.world.deploy("--limit", first.host)
    assert run.code == 0, run.output
    assert "for: 0s" not in first.shell(f"cat {CONF}/rules/*.yml")


# -- as deployed -----------------------------------------------------------------------------------


def test_every_host_is_watched_by_its_name(world: World, eyes: list[Eye]) -> None:
    for one in eyes:
        wait_for("all are up", partial(_all_up, one), 60)
        wanted = {"stoker", "prometheus", "alertmanager"}
        wanted |= {"stoker-balancer"} if "lb-1" in world.hosts else set()
        wait_for("all jobs", partial(_has_jobs, one, wanted), 60)


def _has_jobs(eye: Eye, wanted: set[str]) -> bool:
    return {found["metric"]["job"] for found in eye.query("up == 1")} == wanted


def _all_up(eye: Eye) -> bool:
    up = {one["metric"]["instance"] for one in eye.query('up{job="stoker"} == 1')}
    return up == set(eye.world.hosts)


def test_every_rule_is_evaluated(eyes: list[Eye]) -> None:
    for one in eyes:
        groups = one.ask("api/v1/rules")["data"]["groups"]
        found = [rule for group in groups for rule in group["rules"]]
        assert len(found) > 50
        wait_for("evaluated", partial(_evaluated, one), 60)


def _evaluated(eye: Eye) -> bool:
    return _health(eye) == {"ok"}


def _health(eye: Eye) -> set[str]:
    groups = eye.ask("api/v1/rules")["data"]["groups"]
    return {str(rule["health"]) for group in groups for rule in group["rules"]}


def test_a_second_run_changes_nothing(world: World) -> None:
    run = world.deploy()
    assert run.code == 0, run.output
    assert run.changed == []


def test_the_pages_are_for_the_host_itself(world: World, eyes: list[Eye]) -> None:
    for one in eyes:
        for port in (9090, 9093, 9094):
            with pytest.raises(OSError, match=r"refused|timed out"):
                socket.create_connection((world.address(one.host), port), timeout=2)


def test_the_token_is_seen_by_alertmanager_alone(eyes: list[Eye]) -> None:
    for one in eyes:
        mode = one.shell(f"stat -c '%a %U' {CONF}/webhook-token")
        assert mode == "600 prometheus"
        seen = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; journalctl --no-pager"
        # By a pattern that does not find itself in its own command line.
        pattern = f"{TOKEN[:-1]}[{TOKEN[-1]}]"
        assert one.shell(f"({seen}) | tr '\\0' '\\n' | grep -c '{pattern}' || true") == "0"


def test_the_distributions_hardening_stays(eyes: list[Eye]) -> None:
    for one in eyes:
        shown = one.shell("systemctl show prometheus -p User -p NoNewPrivileges -p ProtectSystem")
        assert set(shown.split()) == {
            "User=prometheus",
            "NoNewPrivileges=yes",
            "ProtectSystem=full",
        }


def test_drift_of_the_rules_is_put_right_by_the_host_itself(eyes: list[Eye]) -> None:
    one = eyes[0]
    before = one.pid()
    path = f"{CONF}/rules/nodes.yml"
    one.shell(f"echo '# by hand' >>{path}")
    one.shell("stoker-release drift", check=False, deadline=300)
    assert "by hand" not in one.shell(f"cat {path}")
    assert one.pid() == before


# -- changes ---------------------------------------------------------------------------------------


def test_rules_that_are_refused_never_replace_what_works(world: World, eyes: list[Eye]) -> None:
    one, bad = eyes[-1], world.directory / "bad.yml"
    bad.write_text("groups: [{name: x, rules: [{alert: X, expr: 'sum(('}]}]\n")
    before = one.pid()
    run = world.deploy("--limit", one.host, "--data", f'monitoring_rules_files=["{bad}"]')
    assert run.code != 0
    assert "could not parse expression" in run.output
    assert one.pid() == before
    assert _health(one) == {"ok"}
    assert "own-bad" not in one.shell(
        f"ls {CONF}/rules {CONF}/prometheus.yml; cat {CONF}/prometheus.yml"
    )


def test_other_rules_need_a_reload_and_another_flag_a_restart(
    world: World, eyes: list[Eye]
) -> None:
    one, own = eyes[-1], world.directory / "own.yml"
    own.write_text("groups: [{name: own, rules: [{record: own, expr: vector(1)}]}]\n")
    before = one.pid()
    words = ["--limit", one.host, "--data", "monitoring_runbooks=https://wiki.example/runbooks"]
    words += ["--data", f'monitoring_rules_files=["{own}"]']
    run = world.deploy(*words)
    assert run.code == 0, run.output
    assert one.pid() == before
    wait_for(
        "the new rules", lambda: "https://wiki.example" in json.dumps(one.ask("api/v1/rules")), 20
    )
    wait_for("the own rule", lambda: one.query("own"), 20)
    run = world.deploy(*words, "--data", "monitoring_retention_days=7")
    assert run.code == 0, run.output
    assert one.pid() != before
    wait_for("it answers", lambda: one.query("up"), 30)
    flags = one.ask("api/v1/status/flags")["data"]
    assert flags["storage.tsdb.retention.time"] in {"7d", "1w"}
    assert world.deploy("--limit", one.host).code == 0


# -- alerts of the hosts that watch ----------------------------------------------------------------


def test_a_host_that_is_down_is_told_and_silences_what_it_says(eyes: list[Eye], eye: Eye) -> None:
    other = eyes[-1]
    other.shell(f'sed -i \'s/"disk_floor_gib": [0-9]*/"disk_floor_gib": 900000/\' {SPEC}')
    other.shell("systemctl restart stoker-agent")
    eye.fires(other.host, {"StokerDiskTrouble"})
    other.shell("systemctl stop stoker-agent")
    try:
        eye.fires(other.host, {"StokerNodeDown"})
        down = _received(eye, "StokerNodeDown", other.host, "firing")
        assert down["annotations"]["summary"].startswith(f"{other.host} does not answer")
        assert down["annotations"]["runbook_url"].endswith("/node-down.md")
        eye.shell(  # what it would still say, if somebody told it
            "amtool --alertmanager.url=http://127.0.0.1:9093 alert add "
            f"StokerGpuFault job=stoker instance={other.host} severity=warning"
        )
        wait_for("silenced", lambda: _silenced(eye, "StokerGpuFault"), 20)
    finally:
        other.shell("systemctl start stoker-agent")
    eye.clears(other.host, {"StokerNodeDown"})
    _received(eye, "StokerNodeDown", other.host, "resolved")
    run = other.world.deploy("--limit", other.host)
    assert run.code == 0, run.output
    eye.clears(other.host, {"StokerDiskTrouble"})


def _received(eye: Eye, name: str, host: str, status: str) -> dict[str, dict[str, str]]:
    def there() -> dict[str, dict[str, str]] | None:
        for told, alert in eye.received():
            labels = alert["labels"]
            if (labels["alertname"], labels["instance"], alert["status"]) == (name, host, status):
                assert told == f"Bearer {TOKEN}"
                return dict(alert)
        return None

    return wait_for(f"{name} {status}", there, 60, pause=1)


def _silenced(eye: Eye, name: str) -> bool:
    found = eye.ask("api/v2/alerts", port=9093)
    mine = [one for one in found if one["labels"]["alertname"] == name]
    return bool(mine) and all(one["status"]["inhibitedBy"] for one in mine)


def test_a_configuration_that_was_broken_by_hand_is_told_and_put_back(eye: Eye) -> None:
    eye.shell(f"cp -p {CONF}/prometheus.yml /run/kept.yml; echo 'x: [' >>{CONF}/prometheus.yml")
    eye.shell("systemctl reload prometheus")
    eye.fires(eye.host, {"StokerConfigNotLoaded"})
    eye.shell(f"cp -p /run/kept.yml {CONF}/prometheus.yml; systemctl reload prometheus")
    eye.clears(eye.host, {"StokerConfigNotLoaded"})


def test_rules_that_cannot_be_evaluated_are_told(eye: Eye) -> None:
    path = f"{CONF}/rules/nodes.yml"
    broken = "  - name: own\n    rules: [{record: own, expr: up / on () up}]\n"
    eye.shell(f"cp -p {path} /run/kept.yml; echo '{broken}' >>{path}")
    eye.shell("systemctl reload prometheus")
    eye.fires(eye.host, {"StokerRulesFail"})
    eye.shell(f"cp -p /run/kept.yml {path}; systemctl reload prometheus")
    eye.forget()
    eye.clears(eye.host, {"StokerRulesFail"})


def test_a_receiver_that_is_away_is_told_to_who_looks(eye: Eye) -> None:
    eye.deafen()
    alert = "StokerCondition instance=nobody severity=warning"
    eye.shell(f"amtool --alertmanager.url=http://127.0.0.1:9093 alert add {alert}")
    eye.fires(eye.host, {"StokerAlertsNotSent"}, 120)
    eye.hear()
    eye.forget()
    eye.clears(eye.host, {"StokerAlertsNotSent"})


def test_no_hosts_at_all_are_told(eye: Eye) -> None:
    where = f"{CONF}/nodes.json"
    eye.shell(f"cp -p {where} /run/kept.json; echo '[]' >{where}")
    eye.fires("", {"StokerNoNodes"}, 60)
    eye.shell(f"cp -p /run/kept.json {where}")
    eye.clears("", {"StokerNoNodes"})


# -- alerts of balancers ---------------------------------------------------------------------------


@pytest.fixture
def balancer(world: World) -> str:
    if "lb-1" not in world.hosts:
        pytest.fail("this fleet has no balancer")
    return "lb-1"


def test_a_balancer_that_is_down_is_told(world: World, eye: Eye, balancer: str) -> None:
    world.shell(balancer, "systemctl stop haproxy")
    eye.fires(balancer, {"StokerBalancerDown"})
    world.shell(balancer, "systemctl start haproxy")
    eye.clears(balancer, {"StokerBalancerDown"})


def test_a_balancer_without_a_host_is_told(nodes: list[Node], eye: Eye, balancer: str) -> None:
    for node in nodes:
        node.shell("stokerctl drain main --by tester --reason test")
    eye.fires(balancer, {"StokerBalancerNoServer"})
    for node in nodes:
        node.undrain()
    eye.clears(balancer, {"StokerBalancerNoServer"})


PILE = """
cat >/run/pile.py <<'END'
import concurrent.futures, ssl, urllib.request
tls = ssl._create_unverified_context()
body = b'{"model":"stoker/tiny-llama","messages":[{"role":"user","content":"hi"}],"max_tokens":900}'
def ask(_):
    key = open("/run/pile.key").read().split(":")[-1].strip()
    headers = {"content-type": "application/json", "authorization": "Bearer " + key}
    asked = urllib.request.Request(
        "https://127.0.0.1/v1/chat/completions", body, {**headers, "host": "lb-1.sandbox"}
    )
    try:
        urllib.request.urlopen(asked, timeout=60, context=tls).read()
    except OSError:
        pass
with concurrent.futures.ThreadPoolExecutor(500) as pool:
    list(pool.map(ask, range(500)))
END
systemd-run -q --collect --unit=pile python3 /run/pile.py
"""


def test_requests_that_pile_up_at_a_balancer_are_told(
    world: World, nodes: list[Node], eye: Eye, balancer: str
) -> None:
    key = world.gateway(nodes[0].host).key
    world.shell(balancer, f"umask 077; echo '{key}' >/run/pile.key")
    world.shell(balancer, PILE)
    eye.fires(balancer, {"StokerBalancerQueueLong"})
    world.shell(balancer, "systemctl stop pile; rm /run/pile.key", check=False)
    eye.clears(balancer, {"StokerBalancerQueueLong"})


# -- alerts of nodes -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_told_and_its_end_too(name: str, nodes: list[Node], eye: Eye) -> None:
    node, plant = nodes[0], PLANTS[name]
    if plant.by_rate:
        eye.forget()
    eye.clears(node.host, plant.alerts)
    plant.ill(node)
    try:
        eye.fires(node.host, plant.alerts, plant.seconds)
    finally:
        plant.well(node)
    if plant.by_rate:
        eye.forget()
    eye.clears(node.host, plant.alerts, 120)
    node.serves(60)


def test_a_model_that_nobody_serves_is_told(nodes: list[Node], eye: Eye) -> None:
    for node in nodes:
        node.shell("stokerctl drain main --by tester --reason test")
    eye.fires("", {"StokerModelDown"})
    for node in nodes:
        node.undrain()
    eye.clears("", {"StokerModelDown"})


def test_faults_that_repeat_are_told(nodes: list[Node], eye: Eye) -> None:
    node = nodes[0]
    for _ in range(7):
        node.xid(43, "Ch 00000010")
        time.sleep(2)  # a look of Prometheus: what grew before the first look, it does not know
    eye.fires(node.host, {"StokerGpuFaultsRepeat"})
    eye.forget()
    eye.clears(node.host, {"StokerGpuFaultsRepeat"})


def test_one_name_tells_what_the_engine_does(nodes: list[Node], eye: Eye) -> None:
    node = nodes[0]
    for _ in range(5):
        assert node.chat().status == 200
    of = f'instance="{node.host}",engine="main"'

    def there() -> bool:
        done = eye.query(f'stoker_engine_requests_total{{{of},outcome="done"}}')
        speed = eye.query(f"stoker_engine_token_seconds_count{{{of}}}")
        return bool(done and speed and float(done[0]["value"][1]) >= 5)

    wait_for("the requests are counted", there, 30)
    assert "tokens_per_second" in node.engine()
