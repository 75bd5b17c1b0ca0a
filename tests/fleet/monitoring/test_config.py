"""What Prometheus and Alertmanager are told, and what a host with them looks like."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from agent.errors import SpecError
from agent.spec import HostSpec
from fleet import control_files, firewall, fitness, peering
from fleet.facts.bare import Bare, Listener
from fleet.monitoring import alertmanager, grafana, prometheus
from fleet.monitoring.units import programs
from fleet.release import given
from tests.fleet.monitoring.cases import CASES
from tests.fleet.samples import ENGINE

EYE: dict[str, Any] = {"engines": {}, "driver_gpu_count": 0, "monitoring_enabled": True}
WEB = {**EYE, "monitoring_enabled": False, "balancer_enabled": True, "agent_listen": "0.0.0.0"}
GPU = {**ENGINE, "agent_listen": "0.0.0.0"}
ADDRESSES = {"eye-1": "10.0.0.9", "gpu-1": "10.0.0.1", "gpu-2": "fd00::2", "web-1": "10.0.0.5"}


def fleet(**more: Any) -> dict[str, HostSpec]:
    data = {
        "eye-1": {**EYE, **more},
        "gpu-1": GPU,
        "gpu-2": {**GPU, "engines": {"a": {}, "b": {"port": 8090, "model": "org/b"}}},
        "web-1": WEB,
    }
    data["gpu-2"]["driver_gpu_count"] = 2
    specs = {name: HostSpec.from_data(name, its) for name, its in data.items()}
    return peering.resolved(specs, ADDRESSES)


def eye(**more: Any) -> HostSpec:
    return fleet(**more)["eye-1"]


def test_every_host_of_the_inventory_is_asked_by_its_name() -> None:
    found = json.loads(prometheus.nodes(eye()))
    assert {one["labels"]["instance"]: one["targets"] for one in found} == {
        "eye-1": ["127.0.0.1:9750"],
        "gpu-1": ["10.0.0.1:9750"],
        "gpu-2": ["[fd00::2]:9750"],
        "web-1": ["10.0.0.5:9750"],
    }
    roles = {one["labels"]["instance"]: one["labels"]["role"] for one in found}
    assert roles == {"eye-1": "monitoring", "gpu-1": "node", "gpu-2": "node", "web-1": "balancer"}


def test_balancers_are_asked_where_they_export() -> None:
    [one] = json.loads(prometheus.balancers(eye()))
    assert one == {"targets": ["10.0.0.5:8405"], "labels": {"instance": "web-1"}}


def test_the_nodes_let_those_in_who_watch_them() -> None:
    opened = {one.what: one for one in firewall.openings(fleet()["gpu-1"], (22,))}
    assert "10.0.0.9" in opened["the agent"].sources
    assert 9750 in opened["the agent"].ports


def test_the_models_that_the_inventory_wants() -> None:
    text = prometheus.rule_files(eye())[f"{prometheus.RULES}/inventory.yml"]
    [group] = yaml.safe_load(text)["groups"]
    wanted = {rule["labels"]["model"]: rule["expr"] for rule in group["rules"]}
    assert wanted == {"org/model": "vector(2)", "org/b": "vector(1)"}


def test_prometheus_configuration() -> None:
    made = yaml.safe_load(prometheus.conf(eye(monitoring_interval=30, monitoring_port=9099)))
    assert made["global"]["scrape_interval"] == "30s"
    assert [job["job_name"] for job in made["scrape_configs"]] == [
        *("stoker", "stoker-balancer", "prometheus", "alertmanager")
    ]
    assert made["scrape_configs"][2]["static_configs"][0] == {
        "targets": ["127.0.0.1:9099"],
        "labels": {"instance": "eye-1"},
    }
    assert set(made["rule_files"]) == set(prometheus.rule_files(eye()))


def test_rules_of_the_operator_are_beside_ours(tmp_path: Path) -> None:
    own = tmp_path / "engines.yml"
    own.write_text("groups: []")
    spec = eye(monitoring_rules_files=(str(own),))
    files = prometheus.rule_files(spec)
    assert files[f"{prometheus.RULES}/own-engines.yml"] == "groups: []\n"
    assert f"{prometheus.RULES}/engines.yml" in files
    assert str(own) in given.paths(spec)
    assert control_files.faults(spec) == []
    gone = eye(monitoring_rules_files=("/no/such.yml",))
    assert "monitoring_rules_files" in control_files.faults(gone)[0]


def test_runbooks_are_where_the_operator_says() -> None:
    text = "".join(prometheus.rule_files(eye(monitoring_runbooks="https://wiki/x/")).values())
    assert 'runbook_url: "https://wiki/x/node-down.md"' in text
    assert "@" not in text


def test_pages_are_shut_unless_opened() -> None:
    listening = [
        word for one in programs(eye()) for word in one.command if "listen-address" in word
    ]
    assert listening == [
        "--web.listen-address=127.0.0.1:9090",
        "--web.listen-address=127.0.0.1:9093",
        "--cluster.listen-address=",
    ]
    assert "the monitoring" not in {one.what for one in firewall.openings(eye(), (22,))}
    spec = eye(monitoring_listen="::", monitoring_read_from=("10.1.0.0/16",))
    opened = {one.what: one for one in firewall.openings(spec, (22,))}
    assert opened["the monitoring"].sources == ("10.1.0.0/16",)
    assert opened["the monitoring"].ports == (9090, 9093)
    assert "--web.listen-address=[::]:9090" in programs(spec)[0].command
    assert spec.monitoring.reached_at == "127.0.0.1"


def test_how_long_it_remembers() -> None:
    command = programs(eye(monitoring_retention_days=7, monitoring_retention_gib=3))[0].command
    assert "--storage.tsdb.retention.time=7d" in command
    assert "--storage.tsdb.retention.size=3GB" in command


def test_nobody_is_told_without_a_receiver() -> None:
    made = yaml.safe_load(alertmanager.conf(eye()))
    assert made["receivers"] == [{"name": "operator"}]


def test_a_webhook_is_told_with_its_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    spec = eye(
        monitoring_webhook_url="https://pager.example/it's",
        monitoring_webhook_token_file=str(token),
    )
    [receiver] = yaml.safe_load(alertmanager.conf(spec))["receivers"]
    [hook] = receiver["webhook_configs"]
    assert hook["url"] == "https://pager.example/it's"
    assert hook["http_config"]["authorization"] == {"credentials_file": alertmanager.TOKEN}
    assert alertmanager.TOKEN in programs(spec)[1].files
    assert str(token) in given.paths(spec)
    token.chmod(0o644)
    assert "others may read" in control_files.faults(spec)[0]


def test_a_configuration_of_the_operators_own(tmp_path: Path) -> None:
    own = tmp_path / "am.yml"
    own.touch(mode=0o600)
    own.write_text("route: {receiver: x}\nreceivers: [{name: x}]")
    spec = eye(monitoring_alertmanager_file=str(own))
    assert alertmanager.conf(spec) == own.read_text() + "\n"


def silenced_by(alert: str) -> set[str]:
    """Return what Alertmanager keeps to itself of all alerts on that host, while `alert` fires."""
    rules = yaml.safe_load(alertmanager.conf(eye()))["inhibit_rules"]
    source = {"alertname": alert, **CASES[alert].labels}
    found = set()
    for name, case in CASES.items():
        target = {"alertname": name, **case.labels}
        if "instance" in target:
            target["instance"] = source["instance"]
        for rule in rules:
            same = all(source.get(label) == target.get(label) for label in rule["equal"])
            if same and _matches(rule["source_matchers"], source) and name != alert:
                found |= {name} if _matches(rule["target_matchers"], target) else set()
    return found


def _matches(matchers: list[str], labels: dict[str, str]) -> bool:
    for one in matchers:
        parts = re.fullmatch(r'(\w+)=(~?)"(.*)"', one)
        assert parts, one
        value = labels.get(parts[1], "")
        if not (re.fullmatch(parts[3], value) if parts[2] else value == parts[3]):
            return False
    return True


OTHERS = {  # what no agent says of its host
    name
    for name, case in CASES.items()
    if case.labels.get("job") != "stoker" or "instance" not in case.labels
}


@pytest.mark.parametrize("alert", ["StokerNodeDown", "StokerAgentStale"])
def test_a_host_that_is_down_silences_what_its_agent_says_and_nobody_else(alert: str) -> None:
    assert {"StokerBalancerDown", "StokerAlertsNotSent", "StokerModelDown"} < OTHERS
    assert silenced_by(alert) == CASES.keys() - OTHERS - {alert}


def test_an_engine_is_told_of_once() -> None:
    assert silenced_by("StokerEngineQuarantined") > {"StokerEngineAdvice", "StokerEngineReduced"}
    assert all("Engine" in name for name in silenced_by("StokerEngineQuarantined"))
    assert silenced_by("StokerEngineBudgetExhausted") == {"StokerEngineBudgetLow"}
    assert silenced_by("StokerCertificateExpiresSoon") == {"StokerCertificateExpires"}
    assert silenced_by("StokerEngineReduced") == set()


@pytest.mark.parametrize("name", ["StokerNodeDown", "StokerBalancerDown", "StokerMine"])
def test_another_hosts_or_jobs_alert_of_any_name_is_not_silenced(name: str) -> None:
    rules = yaml.safe_load(alertmanager.conf(eye()))["inhibit_rules"]
    other = {"alertname": name, "instance": "gpu-1", "job": "stoker-balancer"}
    assert not any(_matches(rule["target_matchers"], other) for rule in rules)
    assert all("instance" in rule["equal"] for rule in rules)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"monitoring_alertmanager_file": "x", "monitoring_webhook_url": "http://x"},
            "_file: is a",
        ),
        ({"monitoring_webhook_token_file": "x"}, "is for monitoring_webhook_url"),
        ({"monitoring_read_from": ("10.0.0.0/8",)}, "nobody reaches monitoring_listen"),
        ({"monitoring_rules_files": ("a/x.yml", "b/x.yml")}, "same name"),
        ({"monitoring_port": 9750}, "port 9750: wanted by agent and Prometheus"),
        ({"monitoring_interval": 1}, "seconds, 5 to 60"),
        ({"monitoring_listen": "0.0.0.0", "monitoring_read_from": ("10.0.0.0/99",)}, "read_from"),
    ],
)
def test_what_cannot_work_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        HostSpec.from_data("eye-1", {**EYE, **more})


def test_a_port_that_somebody_else_has_is_refused() -> None:
    taken = Listener(9090, "cockpit.service", "cockpit")
    bare = Bare(os="debian-13", machine="x86_64", python="3.13", listeners=(taken,))
    [sentence] = [s for s in fitness.problems(eye(), bare) if "9090" in s]
    assert "monitoring_port" in sentence
    ours = Listener(9090, "prometheus.service", "prometheus")
    bare = Bare(os="debian-13", machine="x86_64", python="3.13", listeners=(ours,))
    assert not [s for s in fitness.problems(eye(), bare) if "9090" in s]


def test_a_unit_starts_only_with_our_configuration_and_leaves_stamps() -> None:
    text = programs(eye())[0].text()
    assert f"ConditionPathExists={prometheus.CONF}" in text
    assert "ExecStart=\nExecStart=/usr/bin/prometheus --config.file=" in text
    assert text.count("stoker-prometheus.read") == 2
    assert "rules/" not in text  # another rule file is no other command line
    for directive in ("Protect", "User=", "CapabilityBoundingSet"):
        assert directive not in text  # the distribution's hardening stays


def test_boards_are_the_same_text_every_time() -> None:
    made = {
        path: grafana.text(board) for path, board in zip(grafana.boards(), grafana.ALL, strict=True)
    }
    assert made == grafana.boards()
    for text in made.values():
        board = json.loads(text)
        places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
        assert len(set(places)) == len(places)
        assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in board["panels"])
        assert len({p["id"] for p in board["panels"]}) == len(board["panels"])
