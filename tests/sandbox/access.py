"""What a person or a deploy needs to reach the hosts: hosts.json, ssh_config, known_hosts. Pure."""

import json
from collections.abc import Iterable, Mapping

from tests.sandbox.layout import DOMAIN, FleetLayout, HostLayout

SSH_USER = "operator"
OS_NAMES = {"bookworm": "debian-12", "trixie": "debian-13"}


def hosts_json(layout: FleetLayout, hosts: Iterable[HostLayout]) -> str:
    """Render the list of hosts, with the addresses to use from this machine."""
    entries = [
        {
            "name": host.name,
            "address": (address := layout.address(host.octet)),
            "os": OS_NAMES[host.release],
            "gpus": host.gpus,
            "gateway": f"https://{address}",
            "agent": f"http://{address}:9750",
            "ssh_port": 22,
            "ssh_user": SSH_USER,
            "ssh_key": str(layout.directory / "id_ed25519"),
        }
        for host in hosts
    ]
    return json.dumps(entries, indent=2) + "\n"


def ssh_config(layout: FleetLayout, hosts: Iterable[HostLayout]) -> str:
    """Render a client configuration for `ssh -F FILE HOST`."""
    blocks = [
        f"Host {host.name} {host.name}.{DOMAIN}\n    HostName {layout.address(host.octet)}\n"
        for host in hosts
    ]
    shared = f"""Host *
    User {SSH_USER}
    IdentityFile "{layout.directory / "id_ed25519"}"
    IdentitiesOnly yes
    UserKnownHostsFile "{layout.directory / "known_hosts"}"
    StrictHostKeyChecking yes
"""
    return "\n".join([*blocks, shared])


def known_hosts(
    layout: FleetLayout, hosts: Iterable[HostLayout], public_keys: Mapping[str, str]
) -> str:
    """Render the pinned host keys, each under the host's address and names."""
    lines = []
    for host in hosts:
        algorithm, key = public_keys[host.name].split()[:2]
        names = f"{layout.address(host.octet)},{host.name},{host.name}.{DOMAIN}"
        lines.append(f"{names} {algorithm} {key}\n")
    return "".join(lines)
