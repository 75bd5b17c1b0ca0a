"""Which hosts a fleet has, and what is written for those who want to reach them."""

import json
from pathlib import Path

import pytest

from tests.sandbox import access
from tests.sandbox.layout import FLEETS, fleet_layout

ROOT = Path("/repository")


@pytest.mark.parametrize("name", FLEETS)
def test_no_two_machines_of_a_fleet_share_a_name_or_an_address(name: str) -> None:
    layout = fleet_layout(name, ROOT)
    addresses = [layout.address(host.octet) for host in layout.hosts] + [layout.depot_address]
    assert len(set(addresses)) == len(addresses)
    assert len({host.name for host in layout.hosts} | {"depot"}) == len(addresses)


def test_fleets_share_no_directory_and_no_address() -> None:
    layouts = [fleet_layout(name, ROOT) for name in FLEETS]
    assert len({layout.directory for layout in layouts}) == len(layouts)
    assert len({layout.subnet for layout in layouts}) == len(layouts)


def test_hosts_on_request_come_up_only_when_named() -> None:
    layout = fleet_layout("demo", ROOT)
    assert [host.name for host in layout.chosen(())] == ["gpu-1", "gpu-2"]
    assert [host.name for host in layout.chosen(("real-1",))] == ["real-1"]


def test_an_unknown_host_is_named_with_those_that_exist() -> None:
    with pytest.raises(LookupError, match=r"demo has no host 'gpu-9'; it has gpu-1, gpu-2"):
        fleet_layout("demo", ROOT).host("gpu-9")


def test_hosts_json_says_how_to_reach_each_host() -> None:
    layout = fleet_layout("test", ROOT)
    first, _, old = json.loads(access.hosts_json(layout, layout.hosts))
    assert first == {
        "name": "gpu-1",
        "address": "10.88.0.11",
        "os": "debian-13",
        "gpus": 2,
        "gateway": "https://10.88.0.11",
        "agent": "http://10.88.0.11:9750",
        "ssh_port": 22,
        "ssh_user": "operator",
        "ssh_key": "/repository/.sandbox-test/id_ed25519",
    }
    assert (old["os"], old["gpus"]) == ("debian-12", 0)


def test_ssh_trusts_pinned_host_keys_only() -> None:
    layout = fleet_layout("demo", ROOT)
    config = access.ssh_config(layout, layout.hosts)
    assert "Host gpu-2 gpu-2.sandbox\n    HostName 10.87.0.12\n" in config
    assert "StrictHostKeyChecking yes" in config
    keys = {host.name: f"ssh-ed25519 KEY-{host.name} comment" for host in layout.hosts}
    lines = access.known_hosts(layout, layout.hosts, keys).splitlines()
    assert lines[0] == "10.87.0.11,gpu-1,gpu-1.sandbox ssh-ed25519 KEY-gpu-1"
