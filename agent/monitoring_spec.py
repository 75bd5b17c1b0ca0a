"""`MonitoringSpec`: what watches all hosts of an inventory."""

from agent.peers import Peer
from agent.spec_types import Section


class MonitoringSpec(Section, frozen=True, kw_only=True):
    """`peers`: the hosts to watch, itself among them; None = all of the inventory, put in here."""

    enabled: bool = False
    peers: tuple[Peer, ...] | None = None
