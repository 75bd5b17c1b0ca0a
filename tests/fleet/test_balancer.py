"""The balancer's files, as they are known to be good, and what is told of its settings."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from pyinfra.api import DeployError

from agent import haproxy
from agent.drift.manifest import File
from agent.drift.report import Kind
from agent.errors import SpecError
from agent.spec import HostSpec
from fleet import balancer, control_files, firewall, fitness, peering
from fleet.balancer_tls import names
from fleet.drift.kinds import kind
from fleet.facts.bare import Bare, Listener
from fleet.facts.doors import Doors
from fleet.facts.haproxy import INTERFACE_LOOK, Haproxy, InstalledHaproxy
from fleet.facts.paths import PathStates
from fleet.operations.haproxy_conf import (
    SHARED_DROP_IN,
    haproxy_conf,
    keepalived_conf,
    keepalived_off,
    keepalived_test,
)
from fleet.release import given
from tests.fleet.balancer_site import HAPROXY
from tests.fleet.samples import FakeHost, commands
from tests.fleet.test_peering import FLEET, LB, addresses, made, resolved
from tests.fleet.test_rendered import golden
from tests.fleet.tls_pairs import good

HERE = Haproxy((3, 0), ipv6=True, interface="enp1s0")
ONE = {name: FLEET[name] for name in ("gpu-1", "lb-1")}
PAIR = {
    "gpu-1": {**FLEET["gpu-1"], "gateway_tls": "local-ca"},
    "gpu-3": {**FLEET["gpu-1"], "base_address": "2001:db8::3", "gateway_server_name": "gpu-3.x"},
    "lb-1": {
        **FLEET["lb-1"],
        "balancer_server_name": "llm.example *.llm.example",
        "balancer_tls": "local-ca",
        "balancer_affinity": "X-Session-Id",
        "balancer_vip": "10.0.0.100/24",
        "firewall_read_from": ("10.9.0.0/16",),
    },
    "lb-2": {**FLEET["lb-1"], "base_address": "10.0.0.10", "balancer_vip": "10.0.0.100/24"},
}


def lb(hosts: dict[str, dict[str, Any]] = ONE, name: str = "lb-1", **data: Any) -> HostSpec:
    return resolved({**hosts, name: {**hosts[name], **data}})[name]


@pytest.mark.parametrize(
    ("name", "spec"), [("one", lb()), ("several", lb(FLEET)), ("pair", lb(PAIR))]
)
def test_haproxy_cfg(name: str, spec: HostSpec) -> None:
    golden(f"haproxy.cfg-{name}", balancer.haproxy_cfg(spec, HERE))


def test_the_rest_of_its_files() -> None:
    golden("balancer.lua", balancer.script(lb()))
    golden("haproxy.service.d", balancer.drop_in(lb()))
    golden("keepalived.conf", balancer.keepalived_conf(lb(PAIR), "enp1s0"))
    golden("firewall.nft-balancer", firewall.rules(lb(PAIR), (22,)))


@pytest.mark.skipif(HAPROXY is None, reason="no haproxy: apt-get install haproxy")
@pytest.mark.parametrize("name", ["one", "several", "pair"])
def test_haproxy_takes_it(name: str, tmp_path: Path) -> None:
    told = taken((Path(__file__).parent / "golden" / f"haproxy.cfg-{name}").read_text(), tmp_path)
    assert [line for line in told if "WARNING" in line or "ALERT" in line] == []


@pytest.mark.skipif(HAPROXY is None, reason="no haproxy: apt-get install haproxy")
def test_haproxy_takes_a_host_whose_name_does_not_resolve(tmp_path: Path) -> None:
    away = {**FLEET["gpu-1"], "base_address": "nohost.invalid"}
    taken(balancer.haproxy_cfg(lb({**ONE, "gpu-3": away}), HERE), tmp_path)


def taken(text: str, tmp_path: Path) -> list[str]:
    """Have HAProxy check a configuration; return what it says nevertheless."""
    assert HAPROXY
    good(tmp_path)
    (tmp_path / "balancer.lua").write_text(balancer.script(lb()))
    (tmp_path / "tls.crt.key").write_text((tmp_path / "tls.key").read_text())
    for there, here in {
        balancer.CERTIFICATE: "tls.crt",
        balancer.NODES_CA: "tls.crt",
        balancer.SCRIPT: "balancer.lua",
    }.items():
        text = text.replace(there, str(tmp_path / here))
    path = tmp_path / "haproxy.cfg"
    path.write_text(text)
    done = subprocess.run(
        [HAPROXY, "-c", "-q", "-f", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stderr.splitlines() if "state file" not in line]


def test_a_pair_knows_each_other_and_who_comes_first() -> None:
    found = resolved(PAIR)
    first, second = found["lb-1"].balancer, found["lb-2"].balancer
    assert (first.partners, first.vip_rank) == (("10.0.0.10",), 0)
    assert (second.partners, second.vip_rank) == (("10.0.0.9",), 1)
    text = balancer.keepalived_conf(found["lb-2"], "eth7")
    assert "priority 249" in text
    assert "interface eth7" in text
    assert "unicast_src_ip 10.0.0.10" in text


def test_who_signs_the_gateways_certificates() -> None:
    text = balancer.haproxy_cfg(lb(PAIR), HERE)
    [local] = [line for line in text.splitlines() if "server gpu-1 " in line]
    [other] = [line for line in text.splitlines() if "server gpu-3 " in line]
    assert f"ca-file {balancer.NODES_CA} " in local
    assert "ca-file /etc/ssl/certs/ca-certificates.crt " in other
    assert "[2001:db8::3]:443" in other
    assert balancer.NODES_CA in balancer.files(lb(PAIR))
    assert balancer.NODES_CA not in balancer.files(lb())


def test_a_model_that_only_some_hosts_have_gets_a_backend_of_its_own() -> None:
    adapter = {"sql": "o/sql@" + "d" * 40}
    hosts = {
        "gpu-1": {**FLEET["gpu-1"], "engine_served_name": "chat", "engine_lora_adapters": adapter},
        "gpu-3": {**FLEET["gpu-1"], "engine_served_name": "chat", "base_address": "10.0.0.3"},
        "lb-1": FLEET["lb-1"],
    }
    found = {one.name: [s.name for s in one.servers] for one in balancer.of(lb(hosts))}
    assert found == {"chat": ["gpu-1", "gpu-3"], "sql": ["gpu-1"]}
    asked = {s.asks for one in balancer.of(lb(hosts)) for s in one.servers}
    assert asked == {"model=chat"}


def test_replicas_on_one_host_are_one_server() -> None:
    hosts = {
        "gpu-1": {
            **FLEET["gpu-1"],
            "driver_gpu_count": 2,
            "engine_served_name": "chat",
            "engines": {"a": {}, "b": {"port": 8081, "max_concurrent_requests": 32}},
        },
        "lb-1": FLEET["lb-1"],
    }
    [one] = balancer.of(lb(hosts))
    assert [(s.name, s.most) for s in one.servers] == [("gpu-1", 160)]


def test_another_host_changes_no_number_of_the_others() -> None:
    few = {s.name: s.number for s in balancer.of(lb())[0].servers}
    more = {**FLEET, **{f"gpu-{n}": {**FLEET["gpu-1"], "base_address": f"10.0.1.{n}"}
                        for n in range(10, 90)}}  # fmt: skip
    many = {s.name: s.number for s in balancer.of(lb(more))[0].servers}
    assert few.items() <= many.items()
    assert len(set(many.values())) == 81


def test_backends_have_names_of_their_own() -> None:
    models = {"a": "x/y", "b": "x_y", "c": "clients"}
    engines = {n: {"served_name": m, "port": 8080 + i} for i, (n, m) in enumerate(models.items())}
    hosts = {
        "gpu-1": {**FLEET["gpu-1"], "driver_gpu_count": 3, "engines": engines},
        "lb-1": FLEET["lb-1"],
    }
    assert [one.name for one in balancer.of(lb(hosts))] == ["x_y", "x_y-1", "clients-2"]


def test_its_ports_are_open_and_its_metrics_for_readers_alone() -> None:
    found = {one.what: (one.ports, one.sources) for one in firewall.openings(lb(PAIR), (22,))}
    assert found["the balancer"] == ((80, 443), firewall.ANYWHERE)
    assert found["its metrics"] == ((8405,), ("10.9.0.0/16",))
    assert found["its partners"] == ((), ("10.0.0.10",))
    assert "meta l4proto 112 accept" in firewall.rules(lb(PAIR), (22,))
    text = balancer.haproxy_cfg(lb(PAIR), HERE)
    assert "acl allowed src 10.9.0.0/16" in text
    taken = Bare(
        os="debian-13", machine="x86_64", python="3.13", doors=Doors(),
        listeners=(Listener(443, "caddy.service", "caddy"),),
    )  # fmt: skip
    [sentence] = fitness.problems(lb(), taken)
    assert "port 443, wanted by the balancer, is taken by caddy" in sentence


def test_beside_a_gateway_it_needs_a_port_of_its_own() -> None:
    both = {**FLEET["gpu-1"], "balancer_enabled": True}
    with pytest.raises(SpecError, match="port 443: wanted by gateway and balancer"):
        HostSpec.from_data("gpu-1", both)
    spec = resolved({"gpu-1": {**both, "balancer_port": 8443}})["gpu-1"]
    text = balancer.haproxy_cfg(spec, HERE)
    assert "bind *:8443 ssl" in text
    assert "frontend plain" not in text
    assert "server gpu-1 127.0.0.1:443 " in text
    assert "agent-addr 127.0.0.1" in text
    assert spec.gateway.balancers == ("10.0.0.1", "127.0.0.1")


def test_an_agent_is_asked_where_the_name_of_its_host_leads() -> None:
    named = {**FLEET["gpu-1"], "base_address": "gpu-3.lan"}
    [_, other] = balancer.of(lb({**ONE, "gpu-3": named}))[0].servers
    assert (other.address, other.agent) == ("gpu-3.lan:443", "")
    text = balancer.haproxy_cfg(lb({**ONE, "gpu-3": named}), HERE)
    [line] = [line for line in text.splitlines() if "server gpu-3 " in line]
    assert " check agent-check agent-port 9751 " in line


@pytest.mark.parametrize(("first", "waits"), [("nohost.invalid", True), ("localhost", False)])
def test_haproxy_waits_for_the_first_of_its_names(first: str, waits: bool) -> None:
    named = [{**FLEET["gpu-1"], "base_address": one} for one in (first, "nohost2.invalid")]
    only = {"gpu-1": named[0], "gpu-3": named[1], "lb-1": FLEET["lb-1"]}
    lines = balancer.drop_in(lb(only)).splitlines()
    words = "/bin/sh -c 'for name in "
    [start, reload] = [line.partition("=") for line in lines if words in line]
    assert (start[0], reload[0], start[2]) == ("ExecStartPre", "ExecReload", reload[2])
    command = shlex.split(start[2].replace("$$", "$"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = "no name of a host resolves: nohost.invalid, nohost2.invalid\n" if waits else ""
    assert (done.returncode, done.stderr) == (int(waits), said)
    assert words not in balancer.drop_in(lb({**only, "gpu-2": FLEET["gpu-2"]}))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"balancer_affinity": "X Id"}, ["balancer_affinity", "HTTP header"]),
        ({"balancer_read_timeout": 10.0}, ["balancer_queue_seconds = 30", "= 10"]),
        ({"balancer_enabled": False, "monitoring_enabled": True, "balancer_vip": "10.0.0.1/8"},
         ["balancer_vip", "no balancer"]),
        ({"balancer_tls": "acme"}, ["balancer_tls = 'acme'", "'files', 'local-ca'"]),
        ({"balancer_body_kib": 8}, ["balancer_body_kib = 8"]),
    ],
)  # fmt: skip
def test_wrong_settings_get_a_sentence(data: Any, words: list[str]) -> None:
    with pytest.raises(SpecError) as error:
        HostSpec.from_data("lb-1", {**LB, **data})
    assert all(word in str(error.value) for word in words), error.value


def test_an_inventory_without_a_host_to_send_to_is_refused() -> None:
    alone = made({"lb-1": FLEET["lb-1"]})
    [sentence] = peering.faults(alone, addresses(alone))
    assert "no host of the inventory has an engine" in sentence
    nameless = made({**ONE, "gpu-1": {**FLEET["gpu-1"], "gateway_server_name": "_"}})
    [sentence] = peering.faults(nameless, addresses(nameless))
    assert "certificate of gpu-1" in sentence
    assert "gateway_server_name = '_'" in sentence


def test_its_files_are_looked_at_under_its_own_keys(tmp_path: Path) -> None:
    found = "\n".join(control_files.faults(lb()))
    assert "balancer_tls_cert_file: is empty" in found
    assert "gateway_tls" not in found
    good(tmp_path)
    files: dict[str, Any] = {
        "balancer_tls_cert_file": str(tmp_path / "tls.crt"),
        "balancer_tls_key_file": str(tmp_path / "tls.key"),
        "balancer_nodes_ca_file": str(tmp_path / "none"),
        "balancer_server_name": "elsewhere.example",
    }
    found = "\n".join(control_files.faults(lb(**files)))
    assert "is not for elsewhere.example (balancer_server_name)" in found
    assert "balancer_nodes_ca_file" in found
    assert set(given.paths(lb(**files))) == {str(tmp_path / "tls.crt"), str(tmp_path / "tls.key")}


def test_it_has_all_names_by_which_it_is_known() -> None:
    assert names(lb(PAIR), "10.0.0.9") == [
        "llm.example", "*.llm.example", "lb-1", "10.0.0.9", "10.0.0.100",
    ]  # fmt: skip


def test_nothing_replaces_what_haproxy_takes_but_what_it_takes() -> None:
    host = FakeHost({InstalledHaproxy: HERE, PathStates: {}}, "lb-1")
    [command] = commands(host, lambda: haproxy_conf._inner(spec=lb()))
    assert "/usr/sbin/haproxy -c -q -f" in str(command)
    [command] = commands(host, lambda: keepalived_conf._inner(spec=lb(PAIR)))
    assert f"{keepalived_test()} /etc/keepalived/keepalived.conf.stoker-new &&" in str(command)


def test_the_shared_address_needs_an_interface() -> None:
    host = FakeHost({InstalledHaproxy: Haproxy((3, 0)), PathStates: {}}, "lb-1")
    said = (
        "balancer_vip = '10.0.0.100/24': there is no default route whose interface could get it; "
        "set balancer_vip_interface"
    )
    with pytest.raises(DeployError, match="^" + re.escape(f"lb-1: {said}") + "$"):
        commands(host, lambda: keepalived_conf._inner(spec=lb(PAIR)))
    named = lb(PAIR, balancer_vip_interface="bond0")
    [command] = commands(host, lambda: keepalived_conf._inner(spec=named))
    assert "interface bond0" in command.connector_arguments["_stdin"]
    bare = Bare(os="debian-13", machine="x86_64", python="3.13", doors=Doors(), curl=True)
    assert said in fitness.problems(lb(PAIR), bare)
    assert said not in fitness.problems(named, bare)
    assert said not in fitness.problems(lb(PAIR), replace(bare, interface="ens3"))
    assert said not in fitness.problems(lb(), bare)


@pytest.mark.parametrize(
    ("does", "code", "said"),
    [
        ("exit 0", 0, ""),
        ("kill 0", 0, ""),  # 2.2.7, of a good one
        ("echo 'Line 15: VRID not valid'; kill 0", 1, "Line 15: VRID not valid\n"),
        ("echo 'missing }'; exit 5", 1, "missing }\n"),
        ("exit 5", 1, "\n"),
    ],
)
def test_keepalived_tests_its_configuration(
    tmp_path: Path, does: str, code: int, said: str
) -> None:
    program, conf = tmp_path / "keepalived", tmp_path / "it is.conf"
    program.write_text(f'#!/bin/sh\n[ "$*" = "--config-test -f {conf}" ] || exit 9\n{does}\n')
    program.chmod(0o755)
    command = f"{keepalived_test(str(program))} {shlex.quote(str(conf))} && echo good"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, said)
    assert done.stdout == ("" if code else "good\n")


def test_a_keepalived_that_is_not_ours_is_left() -> None:
    def off(*there: str) -> list[str]:
        lies = File(sha256="0" * 64, mode="644", user="root", group="root")
        host = FakeHost({PathStates: lambda paths: {p: lies for p in paths if p in there}}, "lb-1")
        return [str(one) for one in commands(host, keepalived_off._inner)]

    assert off() == []
    assert off(balancer.KEEPALIVED) == []
    for there in ([SHARED_DROP_IN], [SHARED_DROP_IN, balancer.KEEPALIVED]):
        assert off(*there) == [
            "systemctl disable --now keepalived.service; "
            f"rm -f {balancer.KEEPALIVED} {SHARED_DROP_IN} && systemctl daemon-reload"
        ]


def test_what_is_installed_is_read() -> None:
    read = InstalledHaproxy().process
    said = ["HAProxy version 3.0.11-1+deb13u2 2025/12/01 - https://haproxy.org/", "ipv6"]
    assert read([*said, "interface=ens3"]) == Haproxy((3, 0), ipv6=True, interface="ens3")
    assert read([]) == Haproxy((), ipv6=False, interface="")


@pytest.mark.parametrize(
    ("four", "six", "found"),
    [
        ("default via 10.0.0.1 dev ens3 proto dhcp", "default via fe80::1 dev ens4", "ens3"),
        ("", "default via fe80::1 dev ens4 metric 1024", "ens4"),
        ("", "", ""),
    ],
)
def test_the_interface_of_the_default_route_is_found(
    tmp_path: Path, four: str, six: str, found: str
) -> None:
    said = tmp_path / "ip"
    said.write_text(f'#!/bin/sh\n[ "$1" = -6 ] && set -- "{six}" || set -- "{four}"\n'
                    'if [ "$1" ]; then echo "$1"; fi\n')  # fmt: skip
    said.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    lines = subprocess.check_output(["sh", "-c", INTERFACE_LOOK], env=path, text=True).splitlines()
    assert InstalledHaproxy().process(lines).interface == found


def test_drift_of_it_is_put_right() -> None:
    assert kind("balancer", "run haproxy with this", "systemctl reload haproxy") is Kind.SAFE


def test_what_is_not_a_state_is_not_kept(tmp_path: Path) -> None:
    assert haproxy.main([str(tmp_path / "none"), str(tmp_path / "state")]) == 1
    assert not (tmp_path / "state").exists()
