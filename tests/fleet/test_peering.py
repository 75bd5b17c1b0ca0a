"""What hosts are told of each other: peers of those with a role, and who lets whom in."""

from typing import Any

import pytest

from agent.spec import HostSpec, load
from fleet import firewall, peering, specs
from tests.fleet.samples import ENGINE, FakeHost

OPEN = {"agent_listen": "0.0.0.0", "gateway_server_name": "llm.example"}
LB = {"engines": {}, "driver_gpu_count": 0, "balancer_enabled": True}
EYE = {"engines": {}, "driver_gpu_count": 0, "monitoring_enabled": True, "agent_listen": "::"}
Hosts = dict[str, dict[str, Any]]
FLEET: Hosts = {
    "gpu-1": {**ENGINE, **OPEN, "base_address": "10.0.0.1", "engine_lora_adapters": {}},
    "gpu-2": {
        **ENGINE,
        **OPEN,
        "base_address": "10.0.0.2",
        "driver_gpu_count": 2,
        "gateway_server_name": "*.example gpu-2.example",
        "engines": {"chat": {"served_name": "chat"}, "code": {"port": 8081, "model": "o/code"}},
    },
    "lb-1": {**LB, "base_address": "10.0.0.9", "agent_listen": "::"},
    "eye-1": {**EYE, "base_address": "10.0.0.8"},
}


def made(hosts: Hosts) -> dict[str, HostSpec]:
    return {name: HostSpec.from_data(name, data) for name, data in hosts.items()}


def addresses(some: dict[str, HostSpec]) -> dict[str, str]:
    return {name: peering.address(spec, None) for name, spec in some.items()}


def resolved(hosts: Hosts) -> dict[str, HostSpec]:
    found = made(hosts)
    assert not list(peering.faults(found, addresses(found)))
    return peering.resolved(found, addresses(found))


def faults(**changes: dict[str, Any]) -> list[str]:
    hosts = {name: {**data, **changes.get(name, {})} for name, data in FLEET.items()}
    found = made(hosts)
    return list(peering.faults(found, addresses(found)))


def test_a_balancer_knows_the_hosts_with_engines_and_a_watcher_all() -> None:
    found = resolved(FLEET)
    assert [p.name for p in found["lb-1"].balancer.peers or ()] == ["gpu-1", "gpu-2"]
    assert [p.name for p in found["eye-1"].monitoring.peers or ()] == list(FLEET)
    second = (found["lb-1"].balancer.peers or ())[1]
    assert (second.address, second.server_name, second.reads) == ("10.0.0.2", "gpu-2.example", True)
    assert {name: e.models for name, e in second.engines.items()} == {
        "chat": ("chat",),
        "code": ("o/code",),
    }
    lb = next(p for p in found["eye-1"].monitoring.peers or () if p.name == "lb-1")
    assert (lb.roles, lb.metrics_port, lb.engines) == (("balancer",), 8405, {})


def test_nodes_let_them_in_and_believe_the_balancer_alone() -> None:
    found = resolved(FLEET)
    node = found["gpu-1"]
    assert node.firewall.read_from == ("10.0.0.9", "10.0.0.8")
    assert node.gateway.balancers == ("10.0.0.9",)
    agent = next(o for o in firewall.openings(node, ()) if o.what == "the agent")
    assert agent.ports == (9750, 9751)
    assert node.balancer.peers is None
    assert found["lb-1"].firewall.read_from == ("10.0.0.8",)
    assert found["lb-1"].gateway.balancers == ()


def test_on_the_node_itself_it_stays_as_it_was_told() -> None:
    """The release's spec is unpacked into flat keys, and made again, alone."""
    from agent import flat  # noqa: PLC0415
    from agent.spec import SECTIONS  # noqa: PLC0415

    for name, spec in resolved(FLEET).items():
        there = load(spec.dump())
        data = {**flat.unsplit(there, SECTIONS), "stoker_name": name}
        again = HostSpec.from_data(name, data)
        assert again == spec
        assert peering.resolved({name: again}, {name: "@local"}) == {name: spec}


def test_peers_that_are_given_are_kept() -> None:
    peer = {"name": "far-1", "address": "192.0.2.1"}
    found = resolved({**FLEET, "lb-1": {**FLEET["lb-1"], "balancer_peers": (peer,)}})
    assert [p.name for p in found["lb-1"].balancer.peers or ()] == ["far-1"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"gpu-1": {"agent_listen": "127.0.0.1"}}, ["gpu-1: agent_listen", "lb-1", "0.0.0.0"]),
        ({"lb-1": {"base_address": None}}, ["lb-1: base_address", "'lb-1' is a name", "gpu-1"]),
        ({"lb-1": {"base_address": "lb-1.lan"}}, ["lb-1: base_address = 'lb-1.lan'", "IP address"]),
        ({"eye-1": {"base_address": None}}, ["eye-1: base_address", "firewall of gpu-1"]),
        ({"lb-1": {"agent_listen": "127.0.0.1"}}, ["lb-1: agent_listen", "eye-1"]),
    ],
)
def test_what_cannot_be_reached_is_refused(changes: Any, words: list[str]) -> None:
    [sentence] = faults(**changes)
    assert all(word in sentence for word in words)


def test_a_balancer_with_a_name_is_refused_without_firewalls_too() -> None:
    off: dict[str, Any] = {"firewall_enabled": False}
    walls = dict.fromkeys(FLEET, off)
    [sentence] = faults(**{**walls, "lb-1": {**off, "base_address": None}})
    assert sentence == (
        "lb-1: base_address: is missing, and 'lb-1' is a name; set it to the host's IP address: "
        "gpu-1 and others let this host in, and believe it, by that"
    )
    assert faults(**{**walls, "eye-1": {**off, "base_address": None}}) == []


def test_a_balancer_on_the_only_node_needs_no_address() -> None:
    only = {"gpu-1": {**ENGINE, "balancer_enabled": True, "balancer_port": 8443,
                      "gateway_server_name": "gpu-1.example"}}  # fmt: skip
    found = resolved(only)
    assert [p.address for p in found["gpu-1"].balancer.peers or ()] == ["gpu-1"]
    assert found["gpu-1"].firewall.read_from == ()
    assert found["gpu-1"].gateway.balancers == ("127.0.0.1",)
    assert peering.resolved(found, addresses(found)) == found


def test_an_inventory_resolves_once_all_are_made() -> None:
    class Host(FakeHost):
        def __init__(self, name: str, data: dict[str, Any]) -> None:
            super().__init__({}, name)
            self._all = data

        @property
        def data(self) -> Any:
            return self

        def dict(self) -> dict[str, Any]:
            return self._all

    hosts = [
        Host(name, {k: v for k, v in data.items() if k != "base_address"}
             | {"ssh_hostname": data["base_address"]})
        for name, data in FLEET.items()
    ]  # fmt: skip
    found, wrong = specs.examine(hosts)  # type: ignore[arg-type]
    assert all("_file: is empty" in one for one in wrong)
    assert not [one for one in wrong if one.startswith("eye-1")]
    assert [p.address for p in found["lb-1"].balancer.peers or ()] == ["10.0.0.1", "10.0.0.2"]
