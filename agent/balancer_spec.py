"""`BalancerSpec`: HAProxy on a host, in front of the gateways of all hosts with engines."""

from agent.peers import Peer
from agent.spec_types import Port, Section


class BalancerSpec(Section, frozen=True, kw_only=True):
    """`peers`: the hosts with engines; None = those of the inventory, which are put in here."""

    enabled: bool = False
    peers: tuple[Peer, ...] | None = None
    metrics_port: Port = 8405
