"""Prometheus' configuration, and whom it asks. Pure.

Every series has the host's name in the inventory as `instance`, whatever its address is.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from agent.monitoring_spec import bracketed
from agent.peers import Peer
from agent.spec import HostSpec
from fleet.monitoring import rules
from fleet.release import given
from fleet.render import render

DIRECTORY = "/etc/stoker/monitoring"
CONF = f"{DIRECTORY}/prometheus.yml"
NODES = f"{DIRECTORY}/nodes.json"
BALANCERS = f"{DIRECTORY}/balancers.json"
RULES = f"{DIRECTORY}/rules"
NODE = "node"  # the role of a host with engines


def conf(spec: HostSpec) -> str:
    """Return the configuration."""
    monitoring = spec.monitoring
    return render(
        "prometheus.yml",
        name=json.dumps(spec.name),
        interval=monitoring.interval,
        rules=sorted(rule_files(spec)),
        at=monitoring.reached_at,
        port=monitoring.port,
        alertmanager=monitoring.alertmanager_port,
        nodes=NODES,
        balancers=BALANCERS,
    )


def rule_files(spec: HostSpec) -> dict[str, str]:
    """Return the text of each rule file by its path: ours, and those that the operator names."""
    monitoring, peers = spec.monitoring, spec.monitoring.peers or ()
    engines = (engine for peer in peers for engine in peer.engines.values())
    models = Counter(engine.name_served for engine in engines)
    found = rules.files(monitoring.runbooks.rstrip("/"), models)
    found = {f"{RULES}/{name}": text for name, text in found.items()}
    for path in monitoring.rules_files:
        text = given.place(path).read_text()
        found[f"{RULES}/own-{PurePosixPath(path).name}"] = text.rstrip("\n") + "\n"
    return found


def nodes(spec: HostSpec) -> str:
    """Return whom Prometheus asks for the agent's metrics, as `file_sd` reads it."""
    return _document(_node(spec, peer) for peer in spec.monitoring.peers or ())


def balancers(spec: HostSpec) -> str:
    """Return whom it asks for HAProxy's."""
    peers = spec.monitoring.peers or ()
    return _document(
        {
            "targets": [f"{bracketed(_address(spec, peer))}:{peer.metrics_port}"],
            "labels": {"instance": peer.name},
        }
        for peer in peers
        if peer.metrics_port is not None
    )


def _node(spec: HostSpec, peer: Peer) -> dict[str, object]:
    roles = (*((NODE,) if peer.engines else ()), *peer.roles)
    own = peer.name == spec.name and not peer.reads  # its agent listens on loopback only
    address = "127.0.0.1" if own else peer.address
    return {
        "targets": [f"{bracketed(address)}:{peer.read_port}"],
        "labels": {"instance": peer.name, "role": "+".join(roles)},
    }


def _address(spec: HostSpec, peer: Peer) -> str:
    return "127.0.0.1" if peer.name == spec.name else peer.address


def _document(found: Iterator[dict[str, object]] | Iterable[dict[str, object]]) -> str:
    return json.dumps(list(found), indent=2) + "\n"
